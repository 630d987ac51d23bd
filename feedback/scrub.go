package feedback

import (
	"context"
	"maps"
	"slices"

	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/internal/redact"
)

// People write names and numbers into text answers although they are asked not to. What can be recognised is taken out
// before an answer is kept, see package redact: e-mail addresses and telephone numbers by their form, names by asking who
// was seen in the session. Names are looked for again whenever a text is read, because some are seen only after it was
// written. What is left over is for the organiser to hide, see texts.go.

// redactor takes out of texts what could name somebody.
type redactor struct {
	journal *journal.Journal
	find    func(ctx context.Context, session string, words []string) (map[string]bool, error) // see Options.Names
}

// wordsAtOnce bounds one question for names.
const wordsAtOnce = 1000

// redacted returns answers as they may be kept. While the store is away names stay in until the text is read: an answer
// must not be lost for that.
func (a *Asked) redacted(ctx context.Context, answers survey.Answers) survey.Answers {
	var asked, texts []string
	for _, q := range a.Survey.All() {
		if said, ok := answers[q.ID]; ok && q.IsText() {
			asked, texts = append(asked, q.ID), append(texts, redact.Contacts(said.String()))
		}
	}
	if len(texts) == 0 {
		return answers
	}
	_ = a.store.journal.Try(ctx, func(ctx context.Context) error {
		without, err := a.store.names.redact(ctx, a.Session.ID, texts)
		if err == nil {
			texts = without
		}
		return err
	})
	kept := maps.Clone(answers)
	for i, id := range asked {
		kept[id] = survey.Value{texts[i]}
	}
	return kept
}

// redact takes the names of people seen in a session out of texts.
func (r redactor) redact(ctx context.Context, session string, texts []string) ([]string, error) {
	if r.find == nil {
		return texts, nil
	}
	names := map[string]bool{}
	for words := range slices.Chunk(redact.Words(texts), wordsAtOnce) {
		found, err := r.find(ctx, session, words)
		if err != nil {
			return nil, err
		}
		for name, is := range found {
			names[name] = names[name] || is
		}
	}
	without := make([]string, len(texts))
	for i, text := range texts {
		without[i] = redact.Names(text, names)
	}
	return without, nil
}
