package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
)

// every is the choice of all values of a variable.
var every = dashboard.VariableOption{
	Text:  dashboard.StringOrArrayOfString{String: cog.ToPtr("All")},
	Value: dashboard.StringOrArrayOfString{String: cog.ToPtr("$__all")},
}

// session is the dashboard of one session: who is there, what they answer, and whether the platform is heard.
//
// Replicas agree on gauges, so one of them is taken (max without instance); each counts its own part of the counters,
// so those are summed.
func session() *dashboard.DashboardBuilder {
	b := base("jauge-session", "Une rencontre en direct", "Qui est là, ce que les participants répondent, et si la plateforme est bien entendue.").
		WithVariable(variable("session", "Rencontre", `label_values(jauge_session_info, session)`)).
		WithVariable(variable("title", "Titre", `label_values(jauge_session_info{session="$session"}, title)`).
			Hide(dashboard.VariableHideHideVariable)).
		WithVariable(variable("question", "Question", `label_values(jauge_feedback_choices{session="$session"}, question)`).
			Multi(true).IncludeAll(true).Current(every)).
		WithVariable(variable("source", "Plateforme", `label_values(jauge_events_total, source)`).
			Multi(true).IncludeAll(true).Current(every))
	b.WithRow(dashboard.NewRowBuilder("$title"))
	presence(b)
	b.WithRow(dashboard.NewRowBuilder("Réponses"))
	answers(b)
	b.WithRow(dashboard.NewRowBuilder("Plateformes et service"))
	service(b)
	return b
}

func presence(b *dashboard.DashboardBuilder) {
	b.WithPanel(figure("Présents", "Personnes présentes en ce moment, animateurs exclus. Deux appareils d'une même personne comptent pour un. Après la fin : 0.",
		presenceHue, now(`max without (instance) (jauge_session_attendees{session="$session"})`, "présents")).Span(7)).
		WithPanel(figure("Pic", "Le plus grand nombre de personnes présentes en même temps, d'après l'heure des évènements.",
			presenceHue, now(`max without (instance) (jauge_session_attendees_peak{session="$session"})`, "pic")).Span(4)).
		WithPanel(figure("Personnes venues", "Personnes vues au moins une fois, quelle que soit la durée.",
			presenceHue, now(`max without (instance) (jauge_session_attendees_unique{session="$session"})`, "venues")).Span(4)).
		WithPanel(figure("Présence moyenne", "Durée de présence divisée par le nombre de personnes venues. Les présences en cours comptent jusqu'à maintenant.",
			presenceHue, now(`max without (instance) (jauge_session_watch_seconds{session="$session"}) / (max without (instance) (jauge_session_attendees_unique{session="$session"}) > 0)`,
				"moyenne")).Unit("s").Decimals(0).Span(5)).
		WithPanel(figure("Réponses", "Personnes qui ont répondu au questionnaire.",
			answerHue, now(`max without (instance) (jauge_feedback_respondents{session="$session"})`, "réponses")).Span(4)).
		WithPanel(course("Courbe de présence", "Personnes présentes au fil de la rencontre ; en pointillé, le pic jusque-là.", "none").
			Span(24).Height(10).FillOpacity(12).AxisLabel("personnes").
			WithTarget(over("A", `max without (instance) (jauge_session_attendees{session="$session"})`, "présents")).
			WithTarget(over("B", `max without (instance) (jauge_session_attendees_peak{session="$session"})`, "pic")).
			OverrideByName("présents", hued(presenceHue)).
			OverrideByName("pic", dashed(quietHue))).
		WithPanel(course("Arrivées et départs par minute", "Connexions ouvertes et fermées, par minute, sur les plateformes choisies : un appareil qui revient compte à nouveau. "+
			"Plusieurs rencontres sur une même plateforme s'y additionnent.", "suffix: /min").
			Span(12).AxisLabel("par minute").
			WithTarget(over("A", `60 * sum(rate(jauge_events_total{source=~"$source", kind="joined", result="recorded"}[$__rate_interval]))`, "arrivées")).
			WithTarget(over("B", `60 * sum(rate(jauge_events_total{source=~"$source", kind="left", result="recorded"}[$__rate_interval]))`, "départs")).
			OverrideByName("arrivées", hued(arrivalHue)).
			OverrideByName("départs", hued(leaveHue))).
		WithPanel(course("Connexions", "Appareils connectés en ce moment ; une personne sur deux appareils compte deux fois.", "none").
			Span(12).AxisLabel("connexions").ColorScheme(fixed(presenceHue)).
			WithTarget(over("A", `max without (instance) (jauge_session_connections{session="$session"})`, "connexions")))
}

func answers(b *dashboard.DashboardBuilder) {
	b.WithPanel(each(figure("Note moyenne", "Moyenne des réponses aux questions à échelle, parmi les personnes qui y ont répondu.",
		answerHue, now(`max without (instance) (jauge_feedback_score{session="$session"})`, "{{question}}"))).Decimals(1).Span(8)).
		WithPanel(each(figure("Recommandation (NPS)", "Part des notes 9 et 10 moins part des notes 0 à 6, en points, de −100 à 100.",
			answerHue, now(`max without (instance) (jauge_feedback_nps{session="$session"})`, "{{question}}"))).Decimals(0).Span(4)).
		WithPanel(course("Réponses reçues", "Personnes qui ont répondu, au fil du temps.", "none").
			Span(12).Height(5).AxisLabel("personnes").ColorScheme(fixed(answerHue)).
			WithTarget(over("A", `max without (instance) (jauge_feedback_respondents{session="$session"})`, "réponses"))).
		WithPanel(bargauge.NewPanelBuilder().
			Title("« $question »").
			Description("Nombre de personnes par réponse. Rien ne s'affiche tant que trop peu de personnes ont répondu pour rester anonymes.").
			Datasource(source()).Span(24).Height(8).Repeat("question").RepeatDirection(dashboard.PanelRepeatDirectionH).MaxPerRow(2).
			Unit("none").Decimals(0).Min(0).NoValue("trop peu de réponses").ColorScheme(fixed(answerHue)).
			Orientation(common.VizOrientationHorizontal).DisplayMode(common.BarGaugeDisplayModeBasic).ShowUnfilled(false).
			WithTarget(now(`max without (instance) (jauge_feedback_choices{session="$session", question="$question"})`, "{{choice}}")))
}

// each shows one figure per series, with the series' name.
func each(b *stat.PanelBuilder) *stat.PanelBuilder {
	return b.TextMode(common.BigValueTextModeValueAndName).Orientation(common.VizOrientationVertical)
}

func service(b *dashboard.DashboardBuilder) {
	b.WithPanel(course("Webhooks refusés par minute", "Requêtes dont la signature, l'heure ou le contenu n'a pas été accepté, en tout et par motif. Il devrait n'y en avoir aucune. "+
		"« unknown » : une adresse qui n'est celle d'aucune source.", "suffix: /min").
		Span(8).AxisLabel("par minute").ColorScheme(fixed(wrongHue)).
		WithTarget(over("A", `60 * sum(rate(jauge_webhook_refused_total{source=~"$source|unknown"}[$__rate_interval]))`, "en tout")).
		WithTarget(over("B", `60 * sum by (source, reason) (rate(jauge_webhook_refused_total{source=~"$source|unknown"}[$__rate_interval])) > 0`, "{{source}} : {{reason}}"))).
		WithPanel(course("Durée de traitement des webhooks", "Temps entre l'arrivée d'une requête et la réponse à la plateforme : la moitié des requêtes, et 95 % d'entre elles, prennent au plus ce temps.", "s").
			Span(8).AxisLabel("durée").
			WithTarget(over("A", `histogram_quantile(0.5, sum by (le) (rate(jauge_webhook_duration_seconds_bucket{source=~"$source"}[$__rate_interval])))`, "médiane")).
			WithTarget(over("B", `histogram_quantile(0.95, sum by (le) (rate(jauge_webhook_duration_seconds_bucket{source=~"$source"}[$__rate_interval])))`, "95 %")).
			OverrideByName("médiane", hued(quietHue)).
			OverrideByName("95 %", hued(leaveHue))).
		WithPanel(course("En attente", "Évènements et réponses gardés sur disque que Redis n'a pas encore pris, et ce qui ne compte pas encore : une salle qu'aucune rencontre ne réclame, des réponses qui ne correspondent à rien.", "none").
			Span(8).AxisLabel("évènements").
			WithTarget(over("A", `sum(jauge_journal_pending)`, "sur disque")).
			WithTarget(over("B", `sum(max without (instance) (jauge_aside_events))`, "à part")).
			OverrideByName("sur disque", hued(leaveHue)).
			OverrideByName("à part", hued(quietHue)))
}
