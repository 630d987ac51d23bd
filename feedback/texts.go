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

// Texts lists the text answers of a session by question, those of questions that fewer than minimumGroup people have
// answered left out. The survey is as For returned it.
func (s *Store) Texts(ctx context.Context, session string, asked *survey.Survey, minimumGroup int) ([]Text, error) {
	promise, _, err := s.Promise(ctx, session)
	if err != nil {
		return nil, err
	}
	asked, minimumGroup = asked.For(promise.Minors), max(minimumGroup, promise.MinimumGroup)
	if !slices.ContainsFunc(asked.All(), survey.Question.IsText) {
		return nil, nil
	}
	decisions, err := s.rdb.HGetAll(ctx, s.keys.moderated(session)).Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read decisions: %w", err)
	}
	rows, err := s.Published(ctx, session, minimumGroup)
	if err != nil {
		return nil, err
	}
	now, err := s.rdb.HGetAll(ctx, s.keys.rows(session)).Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read answers: %w", err)
	}
	var all []Text
	for _, q := range asked.All() {
		if !q.IsText() {
			continue
		}
		texts, err := s.textsOf(session, asked, q, rows, now)
		if err != nil {
			return nil, err
		}
		for i := range texts {
			texts[i].State = parseDecision(decisions[texts[i].ID]).state()
		}
		if len(texts) >= minimumGroup {
			all = append(all, texts...)
		}
	}
	return s.readable(ctx, session, all)
}

// textsOf lists what was written to a question and still stands: words that were changed are gone at once, and those that
// took their place come with the next answers that are shown.
func (s *Store) textsOf(session string, survey *survey.Survey, q survey.Question, rows map[string]Row, now map[string]string) ([]Text, error) {
	var texts []Text
	for hash, row := range rows {
		said, ok := row.answerTo(survey, q)
		if !ok || parseStored(now[hash]).row == "" {
			continue
		}
		var current Row
		if err := json.Unmarshal([]byte(parseStored(now[hash]).row), &current); err != nil {
			return nil, fmt.Errorf("feedback: decode an answer: %w", err)
		}
		if slices.Equal(current.Answers[q.ID], said) {
			texts = append(texts, Text{ID: s.textID(session, hash, q.ID, said.String()), Question: q.ID, Text: said.String(), row: hash})
		}
	}
	slices.SortFunc(texts, func(a, b Text) int { return cmp.Compare(a.ID, b.ID) })
	return texts, nil
}

// textID names a text; of the parts before the last none holds a zero byte.
func (s *Store) textID(session, hash, question, text string) string {
	return hex.EncodeToString(s.mac("text", session, hash+"\x00"+question+"\x00"+text)[:16])
}

// readable takes names out of texts once more.
func (s *Store) readable(ctx context.Context, session string, texts []Text) ([]Text, error) {
	said := make([]string, len(texts))
	for i, t := range texts {
		said[i] = t.Text
	}
	said, err := s.redactNames(ctx, session, said)
	if err != nil {
		return nil, err
	}
	for i := range texts {
		texts[i].Text = said[i]
	}
	return texts, nil
}

// withTexts adds the approved texts to the questions that are shown. It reads the answers that hold them, and no others.
func (s *Store) withTexts(ctx context.Context, r figures.Results, survey *survey.Survey) (figures.Results, error) {
	texts, err := s.approvedTexts(ctx, r, survey)
	if err != nil {
		return figures.Results{}, err
	}
	for i, result := range r.Questions {
		q, _ := survey.Question(result.ID)
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
func (s *Store) approvedTexts(ctx context.Context, r figures.Results, asked *survey.Survey) ([]Text, error) {
	if !slices.ContainsFunc(asked.All(), survey.Question.IsText) {
		return nil, nil
	}
	decisions, err := s.rdb.HGetAll(ctx, s.keys.moderated(r.Session)).Result()
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
		if err := s.readAnswers(ctx, r.Session, page, rows, now); err != nil {
			return nil, err
		}
	}
	var approved []Text
	for _, q := range asked.All() {
		if !q.IsText() {
			continue
		}
		texts, err := s.textsOf(r.Session, asked, q, rows, now)
		if err != nil {
			return nil, err
		}
		approved = append(approved, slices.DeleteFunc(texts, func(t Text) bool { return parseDecision(decisions[t.ID]).state() != Approved })...)
	}
	return s.readable(ctx, r.Session, approved)
}

// readAnswers reads answers as they are shown, and as they stand now.
func (s *Store) readAnswers(ctx context.Context, session string, hashes []string, rows map[string]Row, now map[string]string) error {
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

// moderation is the journal's entry of a decision.
type moderation struct {
	Session  string   `json:"session"`
	Text     string   `json:"text"` // its id
	Revision int      `json:"revision"`
	Decision Decision `json:"decision"`
	Row      string   `json:"row"` // the receipt hash of its answer
}

const entryModeration = "feedback.moderation"

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

func (s *Store) applyModeration(ctx context.Context, m moderation) error {
	err := moderateScript.Run(ctx, s.rdb, []string{s.keys.moderated(m.Session)}, m.Text, m.Revision, string(m.Decision), m.Row).Err()
	if err != nil {
		return fmt.Errorf("feedback: moderate: %w", err)
	}
	return nil
}

// Moderate decides about one of the texts that Texts lists, through the journal, and returns it as it stands then. It
// returns ErrNoText, ErrDecision, or the store's error.
func (s *Store) Moderate(ctx context.Context, session string, survey *survey.Survey, minimumGroup int, id string, decision Decision) (Text, error) {
	if decision != Approve && decision != Hide {
		return Text{}, ErrDecision
	}
	texts, err := s.Texts(ctx, session, survey, minimumGroup)
	if err != nil {
		return Text{}, err
	}
	i := slices.IndexFunc(texts, func(t Text) bool { return t.ID == id })
	if i < 0 {
		return Text{}, ErrNoText
	}
	field, err := s.rdb.HGet(ctx, s.keys.moderated(session), id).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return Text{}, fmt.Errorf("feedback: read a decision: %w", err)
	}
	m := moderation{Session: session, Text: id, Revision: parseDecision(field).revision + 1, Decision: decision, Row: texts[i].row}
	err = s.journal.Do(ctx, entryModeration, m, func(ctx context.Context) error { return s.applyModeration(ctx, m) })
	if err != nil {
		return Text{}, err
	}
	texts[i].State = decided{decision: decision}.state()
	return texts[i], nil
}
