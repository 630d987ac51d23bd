// Package figures derives what may be shown of answers: from tallies to results, and nothing in them about fewer people than the minimum
// group. It is pure: it knows no store and no clock.
//
// The story in files: figures.go (what comes out), cells.go (what an answer counts in), tally.go (how many count in each), view.go
// (from the one to the other), suppress.go (what has to be hidden), stats.go (intervals and tests), table.go (all of it as rows).
package figures

import "jauge/feedback/survey"

// Results is what one session answered. A nil figure is hidden or not known, never 0.
type Results struct {
	Session      string           `json:"session"`
	Survey       string           `json:"survey"`
	Version      string           `json:"version"`
	Versions     []VersionResult  `json:"versions"`    // the present one first
	Waves        []WaveResult     `json:"waves"`       // empty: it is asked once
	Respondents  int              `json:"respondents"` // persons with an answer; exempt from the minimum group
	ResponseRate *Rate            `json:"response_rate"`
	Questions    []QuestionResult `json:"questions"`
	Pairs        []PairResult     `json:"pairs"`
	Segments     []SegmentResult  `json:"segments"`
	Stay         []SegmentResult  `json:"stay"`         // of those who are known to have "stayed" to the end or "left" before
	Compared     []Comparison     `json:"compared"`     // every two segments, and those who stayed with those who left
	NonResponse  *NonResponse     `json:"non_response"` // see WithAttended
}

// Comparison is the difference between two groups of different people: of those who said yes, or one of a scale's two
// highest values, the share in A less the share in B, from -1 to 1. They differ when its interval leaves 0 out.
type Comparison struct {
	Question   string `json:"question"`
	A          string `json:"a"`
	B          string `json:"b"`
	Difference Share  `json:"difference"`
}

// NonResponse sets those who answered against all who attended, by what is known of both: the share who stayed to the
// end. Of respondents, N are those of whom it is known.
type NonResponse struct {
	Respondents Rate `json:"respondents"`
	Attended    Rate `json:"attended"`
}

// WaveResult is how many answered in one wave; nil when hidden.
type WaveResult struct {
	ID          string `json:"id"`
	Respondents *int   `json:"respondents"`
}

// VersionResult is how many answered one version of the survey; nil when hidden. Answers to a question whose words alone
// were changed are counted together, which is why it is said that there were several.
type VersionResult struct {
	Version     string `json:"version"`
	Respondents *int   `json:"respondents"`
}

// SegmentResult is the same of one audience; with Suppressed every figure in it is hidden.
type SegmentResult struct {
	ID          string           `json:"id"`
	Respondents *int             `json:"respondents"`
	Suppressed  bool             `json:"suppressed"`
	Questions   []QuestionResult `json:"questions"`
	Pairs       []PairResult     `json:"pairs"`
}

// QuestionResult is what was answered to one question. With Suppressed every figure is nil.
type QuestionResult struct {
	ID         string         `json:"id"`
	Kind       survey.Kind    `json:"kind"`
	N          *int           `json:"n"` // persons who answered it; of a consent, all who answered the survey, in its wave
	Suppressed bool           `json:"suppressed"`
	Choices    []ChoiceResult `json:"choices"` // every value of Question.Values, in order, of a number ranges; empty for a text
	Mean       *float64       `json:"mean"`    // scale, number
	Median     *float64       `json:"median"`  // number
	TopTwo     *Share         `json:"top_two"` // scale: the share of its two highest values
	NPS        *NPSResult     `json:"nps"`     // nps
	Texts      []string       `json:"texts"`   // text: those that are approved, of the whole session; nil in Scrape and in segments
}

// ChoiceResult is how many picked one value, and their share of those who answered the question. Of a ranking, it is how
// many ranked the choice first, and its mean rank; choices that a person left out share the ranks that were left.
type ChoiceResult struct {
	Value    string   `json:"value"`
	Count    *int     `json:"count"`
	Share    *Share   `json:"share"`
	MeanRank *float64 `json:"mean_rank,omitempty"` // ranking: from 1, the best
}

// PairResult is what changed between a "before" and a "now" question, among those who answered both.
type PairResult struct {
	Before     string   `json:"before"`
	Now        string   `json:"now"`
	Matched    *int     `json:"matched"`    // persons who answered both
	MatchRate  *float64 `json:"match_rate"` // matched ÷ persons who answered either
	Up         *int     `json:"up"`
	Same       *int     `json:"same"`
	Down       *int     `json:"down"`
	Gain       *float64 `json:"gain"`   // (up − down) ÷ matched, -1 to 1
	Margin     *float64 `json:"margin"` // half the width of the gain's 95 % interval
	P          *float64 `json:"p"`      // exact two-sided McNemar test of up against down
	Suppressed bool     `json:"suppressed"`
}

// Share is a proportion with its Wilson 95 % interval, each 0 to 1.
type Share struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Rate is a share of N persons.
type Rate struct {
	Share
	N int `json:"n"`
}

// NPSResult is a net promoter score, in points from -100 to 100.
type NPSResult struct {
	Value      float64 `json:"value"`
	Margin     float64 `json:"margin"` // half the width of its 95 % interval
	Promoters  int     `json:"promoters"`
	Passives   int     `json:"passives"`
	Detractors int     `json:"detractors"`
}

// ResponseRate is respondents ÷ persons who attended. It is nil when nobody is known to have attended, or fewer than answered (a
// link that was passed on).
func ResponseRate(respondents, attended int) *Rate {
	if attended == 0 || respondents > attended {
		return nil
	}
	return &Rate{Share: Wilson(respondents, attended), N: attended}
}

// WithAttended fills in the response rate. Of those who attended, completed stayed to the end; that
// of respondents is told if the figures of those who stayed and of those who left are.
func (r Results) WithAttended(attended, completed int) Results {
	r.ResponseRate = ResponseRate(r.Respondents, attended)
	if r.ResponseRate == nil || len(r.Stay) == 0 {
		return r
	}
	if stayed, left := r.Stay[0].Respondents, r.Stay[1].Respondents; stayed != nil && left != nil && *stayed+*left > 0 {
		r.NonResponse = &NonResponse{
			Respondents: Rate{Share: Wilson(*stayed, *stayed+*left), N: *stayed + *left},
			Attended:    Rate{Share: Wilson(completed, attended), N: attended},
		}
	}
	return r
}
