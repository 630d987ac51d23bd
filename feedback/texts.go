package feedback

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/redis/go-redis/v9"
)

// What people write is read by the organiser first, who approves or hides each text; only what is approved is shown. A
// text is named by a keyed hash of the answer, the question and the words, so that one that is changed waits again. The
// texts of a question are listed, in an order that says nothing of when or by whom they were written, once at least the
// minimum group has answered it. Minors are asked none, see Survey.For.

// TextState is where a text stands.
type TextState string

// The states of a text.
const (
	Pending  TextState = "pending"  // nobody has decided
	Approved TextState = "approved" // shown with the results
	Hidden   TextState = "hidden"   // shown to nobody but the organiser who moderates
)

// Decision is what an organiser decides about a text; the last one stands.
type Decision string

// The decisions, with the state that follows.
const (
	Approve Decision = "approve" // Approved
	Hide    Decision = "hide"    // Hidden
)

// Text is one text answer as the organiser reads it, without e-mail addresses, telephone numbers, and names seen in the
// session.
type Text struct {
	ID       string    `json:"id"` // 32 hexadecimal digits
	Question string    `json:"question"`
	Text     string    `json:"text"`
	State    TextState `json:"state"`

	row string // the receipt hash of its answer
}

// moderation holds what organisers decided about texts.
type moderation struct{ *base }

// The refusals of moderation.
var (
	ErrNoText   = errors.New("no text has this id")
	ErrDecision = errors.New("the decision is neither approve nor hide")
)

// answerTo is what a row says to a question, if that counts in the question's figures: it may have been asked otherwise.
func (row Row) answerTo(survey *survey.Survey, q survey.Question) (survey.Value, bool) {
	v, ok := row.Answers[q.ID]
	return v, ok && slices.Contains(row.Cells, figures.Cell{Survey: survey.ID, Question: q.ID, Shape: q.Shape()}.Key())
}

// Texts lists the text answers of a session by question, those of questions that fewer than the minimum group have answered
// left out.
func (a *Asked) Texts(ctx context.Context) ([]Text, error) {
	a, err := a.known(ctx)
	if err != nil || !a.Survey.AsksTexts() {
		return nil, err
	}
	if _, err := a.store.read(ctx, []*Asked{a}); err != nil { // which shows what is due
		return nil, err
	}
	rows, err := a.store.published(ctx, a.Session.ID)
	if err != nil {
		return nil, err
	}
	return a.textsIn(ctx, rows)
}

// textsIn lists the texts that stand in answers as they are shown.
func (a *Asked) textsIn(ctx context.Context, rows map[string]Row) ([]Text, error) {
	if !a.Survey.AsksTexts() {
		return nil, nil
	}
	s, session := a.store, a.Session.ID
	var decisions, now *redis.MapStringStringCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		decisions, now = p.HGetAll(ctx, s.keys.moderated(session)), p.HGetAll(ctx, s.keys.rows(session))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("feedback: read texts: %w", err)
	}
	var all []Text
	for _, q := range a.Survey.All() {
		if !q.IsText() {
			continue
		}
		texts, err := a.textsTo(q, rows, now.Val())
		if err != nil {
			return nil, err
		}
		for i := range texts {
			texts[i].State = parseDecision(decisions.Val()[texts[i].ID]).state()
		}
		if len(texts) >= a.Promise.MinimumGroup {
			all = append(all, texts...)
		}
	}
	return a.readable(ctx, all)
}

// textsTo lists what was written to a question and still stands: words that were changed are gone at once, and those that
// took their place come with the next answers that are shown.
func (a *Asked) textsTo(q survey.Question, rows map[string]Row, now map[string]string) ([]Text, error) {
	var texts []Text
	for hash, row := range rows {
		said, ok := row.answerTo(a.Survey, q)
		if !ok || parseStored(now[hash]).row == "" {
			continue
		}
		var current Row
		if err := json.Unmarshal([]byte(parseStored(now[hash]).row), &current); err != nil {
			return nil, fmt.Errorf("feedback: decode an answer: %w", err)
		}
		if slices.Equal(current.Answers[q.ID], said) {
			texts = append(texts, Text{ID: a.store.seal.textID(a.Session.ID, hash, q.ID, said.String()), Question: q.ID, Text: said.String(), row: hash})
		}
	}
	slices.SortFunc(texts, func(a, b Text) int { return cmp.Compare(a.ID, b.ID) })
	return texts, nil
}

// textID names a text; of the parts before the last none holds a zero byte.
func (s sealer) textID(session, hash, question, text string) string {
	return hex.EncodeToString(s.MAC("text", session, hash+"\x00"+question+"\x00"+text)[:16])
}

// readable takes names out of texts once more.
func (a *Asked) readable(ctx context.Context, texts []Text) ([]Text, error) {
	said := make([]string, len(texts))
	for i, t := range texts {
		said[i] = t.Text
	}
	said, err := a.store.names.redact(ctx, a.Session.ID, said)
	if err != nil {
		return nil, err
	}
	for i := range texts {
		texts[i].Text = said[i]
	}
	return texts, nil
}

// withTexts adds the approved texts to the questions that are shown. It reads the answers that hold them, and no others.
func (a *Asked) withTexts(ctx context.Context, r figures.Results) (figures.Results, error) {
	texts, err := a.approvedTexts(ctx)
	if err != nil {
		return figures.Results{}, err
	}
	for i, result := range r.Questions {
		q, _ := a.Survey.Question(result.ID)
		if !q.IsText() || result.Suppressed {
			continue
		}
		r.Questions[i].Texts = []string{}
		for _, t := range texts {
			if t.Question == q.ID {
				r.Questions[i].Texts = append(r.Questions[i].Texts, t.Text)
			}
		}
	}
	return r, nil
}

// approvedTexts lists the approved texts that still stand, by id.
func (a *Asked) approvedTexts(ctx context.Context) ([]Text, error) {
	if !a.Survey.AsksTexts() {
		return nil, nil
	}
	s := a.store
	decisions, err := s.rdb.HGetAll(ctx, s.keys.moderated(a.Session.ID)).Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read decisions: %w", err)
	}
	var hashes []string
	for _, field := range decisions {
		if d := parseDecision(field); d.state() == Approved && !slices.Contains(hashes, d.row) {
			hashes = append(hashes, d.row)
		}
	}
	rows, now := map[string]Row{}, map[string]string{}
	for page := range slices.Chunk(hashes, readAtOnce) {
		if err := s.readAnswers(ctx, a.Session.ID, page, rows, now); err != nil {
			return nil, err
		}
	}
	var approved []Text
	for _, q := range a.Survey.All() {
		if !q.IsText() {
			continue
		}
		texts, err := a.textsTo(q, rows, now)
		if err != nil {
			return nil, err
		}
		approved = append(approved, slices.DeleteFunc(texts, func(t Text) bool { return parseDecision(decisions[t.ID]).state() != Approved })...)
	}
	return a.readable(ctx, approved)
}

// readAnswers reads answers as they are shown, and as they stand now.
func (s *moderation) readAnswers(ctx context.Context, session string, hashes []string, rows map[string]Row, now map[string]string) error {
	var shown, stand *redis.SliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		shown, stand = p.HMGet(ctx, s.keys.shown(session), hashes...), p.HMGet(ctx, s.keys.rows(session), hashes...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("feedback: read answers: %w", err)
	}
	for i, hash := range hashes {
		text, isShown := shown.Val()[i].(string)
		field, stands := stand.Val()[i].(string)
		if !isShown || !stands || parseStored(field).row == "" {
			continue
		}
		var row Row
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			return fmt.Errorf("feedback: decode an answer: %w", err)
		}
		rows[hash], now[hash] = row, field
	}
	return nil
}

// moderationEntry is the journal's entry of a decision.
type moderationEntry struct {
	Session  string   `json:"session"`
	Text     string   `json:"text"` // its id
	Revision int      `json:"revision"`
	Decision Decision `json:"decision"`
	Row      string   `json:"row"` // the receipt hash of its answer
}

// decided is a field that moderate.lua wrote; its zero value is none.
type decided struct {
	revision int
	decision Decision
	row      string
}

func parseDecision(field string) (d decided) {
	parts := strings.Fields(field)
	if len(parts) != 3 {
		return decided{}
	}
	d.revision, _ = strconv.Atoi(parts[0])
	d.decision, d.row = Decision(parts[1]), parts[2]
	return d
}

func (d decided) state() TextState {
	switch d.decision {
	case Approve:
		return Approved
	case Hide:
		return Hidden
	}
	return Pending
}

//go:embed lua/moderate.lua
var moderateSource string

var moderateScript = redis.NewScript(moderateSource)

func (s *moderation) applyModeration(ctx context.Context, m moderationEntry) error {
	err := moderateScript.Run(ctx, s.rdb, []string{s.keys.moderated(m.Session)}, m.Text, m.Revision, string(m.Decision), m.Row).Err()
	if err != nil {
		return fmt.Errorf("feedback: moderate: %w", err)
	}
	return nil
}

// Moderate decides about one of the texts that Texts lists, through the journal, and returns it as it stands then. It
// returns ErrNoText, ErrDecision, or the store's error.
func (a *Asked) Moderate(ctx context.Context, id string, decision Decision) (Text, error) {
	if decision != Approve && decision != Hide {
		return Text{}, ErrDecision
	}
	texts, err := a.Texts(ctx)
	if err != nil {
		return Text{}, err
	}
	i := slices.IndexFunc(texts, func(t Text) bool { return t.ID == id })
	if i < 0 {
		return Text{}, ErrNoText
	}
	s := a.store
	field, err := s.rdb.HGet(ctx, s.keys.moderated(a.Session.ID), id).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return Text{}, fmt.Errorf("feedback: read a decision: %w", err)
	}
	m := moderationEntry{Session: a.Session.ID, Text: id, Revision: parseDecision(field).revision + 1, Decision: decision, Row: texts[i].row}
	err = s.journal.Do(ctx, entryModeration, m, func(ctx context.Context) error { return s.applyModeration(ctx, m) })
	if err != nil {
		return Text{}, err
	}
	texts[i].State = decided{decision: decision}.state()
	return texts[i], nil
}
