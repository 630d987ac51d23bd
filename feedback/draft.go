package feedback

import (
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// DraftFor is how long a draft is kept after its last change, to the hour above.
const DraftFor = 7 * 24 * time.Hour

// maxDraft is the size of a draft above which it is not kept, in bytes of JSON.
const maxDraft = 64 << 10

// The refusals of drafts; one that is not there is ErrNotFound.
var (
	ErrSent     = errors.New("what this form held was sent") // its answers are under their receipt alone
	errTooLarge = errors.New("the draft is too large to be kept")
)

// drafts holds what people have filled in so far, and counts where they are.
type drafts struct{ *base }

// Draft is what one person has filled in so far. It is as sensitive as an answer, free text included: it stands under a
// keyed hash of the form's token, for DraftFor, and goes when the form is sent.
type Draft struct {
	Form url.Values `json:"form"` // the questions' fields as pages sent them; an empty list: asked, and left out
	Page string     `json:"page"` // the id of the section that the person is at
	Seen []string   `json:"seen"` // the ids of the sections that were shown
}

// draftEntry is one state of a draft, for the journal of a volatile store.
type draftEntry struct {
	Session string   `json:"session"`
	Hash    string   `json:"hash"`
	Draft   *Draft   `json:"draft,omitempty"` // nil: sent, or over
	Counted []string `json:"counted"`
	Expires int64    `json:"expires"` // Unix seconds, of a full hour: the moment of an answer is not to be read from it
}

// progressEntry is what was last published of a session's progress.
type progressEntry struct {
	Session string         `json:"session"`
	Shown   map[string]int `json:"shown"`
}

// draftHash is what the store knows of a form's token. It is another one than that of the answer's key, so that the two
// cannot be joined.
func (s sealer) draftHash(session, token string) string {
	return hex.EncodeToString(s.MAC("draft", session, token)[:16])
}

// Draft returns what is kept under a form's token. It returns ErrNotFound, also of one that is over, ErrSent, or the
// store's error.
func (a *Asked) Draft(ctx context.Context, token string) (d Draft, err error) {
	var fields map[string]string
	s, session := a.store, a.Session.ID
	err = s.journal.Try(ctx, func(ctx context.Context) (err error) {
		fields, err = s.rdb.HGetAll(ctx, s.keys.draft(session, s.seal.draftHash(session, token))).Result()
		return err
	})
	switch {
	case err != nil:
		return Draft{}, fmt.Errorf("feedback: read a draft: %w", err)
	case fields["counted"] == "":
		return Draft{}, ErrNotFound
	case fields["content"] == "":
		return Draft{}, ErrSent
	}
	if err := json.Unmarshal([]byte(fields["content"]), &d); err != nil {
		return Draft{}, fmt.Errorf("feedback: decode a draft: %w", err)
	}
	return d, nil
}

// SaveDraft keeps a draft of a form, of the wave that it asks, under the form's token, in the place of what was there. It returns
// ErrSent, errTooLarge, or the store's error: there is no journal of drafts beside a store that is away, because the pages carry
// what they hold.
func (a *Asked) SaveDraft(ctx context.Context, token string, wave *survey.Survey, d Draft) error {
	e := a.draft(token, wave, d)
	e.Draft = &d
	return a.store.keepDraft(ctx, e)
}

// FinishDraft drops what a sent form held. What it counts as stays until the draft is over, so that sending it twice counts
// once: the items of the sections seen, and those that were answered.
func (a *Asked) FinishDraft(ctx context.Context, token string, wave *survey.Survey, d Draft) error {
	return a.store.keepDraft(ctx, a.draft(token, wave, d))
}

// draft is the entry of a draft, without what it holds.
func (a *Asked) draft(token string, wave *survey.Survey, d Draft) draftEntry {
	return draftEntry{
		Session: a.Session.ID, Hash: a.store.seal.draftHash(a.Session.ID, token), Counted: counted(wave, d), Expires: a.store.draftExpiry(),
	}
}

func (s *drafts) draftExpiry() int64 {
	return s.now().Add(DraftFor + time.Hour).Truncate(time.Hour).Unix()
}

func (s *drafts) keepDraft(ctx context.Context, e draftEntry) error {
	mark := journal.Mark{Kind: entryDraft, Key: e.Session + " " + e.Hash, Value: e, Final: e.Draft == nil}
	apply := func(ctx context.Context) error { return s.applyDraft(ctx, e) }
	switch {
	case e.Draft == nil:
		return s.journal.Keep(ctx, []journal.Mark{mark}, apply)
	case !s.journal.Ahead():
		return s.journal.Try(ctx, apply)
	}
	if err := apply(context.WithoutCancel(ctx)); err != nil { // first: what is refused is not kept
		return err
	}
	return s.journal.Note([]journal.Mark{mark})
}

//go:embed lua/draft.lua
var draftSource string

//go:embed lua/progress.lua
var progressSource string

var (
	draftScript    = redis.NewScript(draftSource)
	progressScript = redis.NewScript(progressSource)
)

// applyDraft writes an entry. What it held is not written any more when it is over.
func (s *drafts) applyDraft(ctx context.Context, e draftEntry) error {
	left := e.Expires - s.now().Unix()
	content := ""
	if e.Draft != nil && left > 0 {
		b, err := json.Marshal(e.Draft)
		if err != nil {
			return fmt.Errorf("feedback: encode a draft: %w", err)
		}
		if content = string(b); len(content) > maxDraft {
			return errTooLarge
		}
	}
	list, err := json.Marshal(e.Counted)
	if err != nil {
		return fmt.Errorf("feedback: encode a draft: %w", err)
	}
	keys := append([]string{s.keys.draft(e.Session, e.Hash)}, s.keys.progress(e.Session)...)
	outcome, err := draftScript.Run(ctx, s.rdb, []string{keys[0], keys[1], keys[3]}, e.Hash, content, string(list), left).Text()
	if err != nil {
		return fmt.Errorf("feedback: keep a draft: %w", err)
	}
	if outcome == "sent" {
		return ErrSent
	}
	return nil
}

// ExpireDrafts takes what is over out of the journal; Redis does it by itself. Run it now and then.
func (s *drafts) ExpireDrafts() error {
	now := s.now().Unix()
	return s.journal.Revise(entryDraft, func(data json.RawMessage) any {
		var e draftEntry
		if err := json.Unmarshal(data, &e); err != nil || e.Draft == nil || e.Expires > now {
			return nil
		}
		e.Draft = nil
		return e
	})
}

// The endings of the fields of progress.
const (
	seen     = "|seen"
	answered = "|answered"
)

// counted lists the fields of progress that a draft counts in, sorted.
func counted(asked *survey.Survey, d Draft) []string {
	fields := []string{}
	valid, _ := survey.ParseForm(asked, d.Form)
	for _, page := range asked.Pages() {
		if !slices.Contains(d.Seen, page.ID) {
			continue
		}
		for _, q := range asked.All() {
			if !page.Asks(q.ID) {
				continue
			}
			fields = append(fields, q.ID+seen)
			if len(valid[q.ID]) > 0 {
				fields = append(fields, q.ID+answered)
			}
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// ItemProgress is how many forms came to a question, and how many of them answered it. A nil figure is hidden.
type ItemProgress struct {
	Question string `json:"question"`
	Seen     *int   `json:"seen"`     // it stood on a page that was sent, or was shown after one
	Answered *int   `json:"answered"` // of those
}

// Progress is where the forms of a session got to, sent or not, by question in the survey's order. Nothing about fewer forms than
// the minimum group comes out: neither a figure, nor what changed between two readings.
func (a *Asked) Progress(ctx context.Context) ([]ItemProgress, error) {
	a, err := a.known(ctx)
	if err != nil {
		return nil, err
	}
	k := a.Promise.MinimumGroup
	shown, err := a.store.publishedProgress(ctx, a.Session.ID, k)
	if err != nil {
		return nil, err
	}
	all, conditions := []ItemProgress{}, a.Survey.Conditions()
	for _, q := range a.Survey.All() {
		p := ItemProgress{Question: q.ID}
		if n := shown[q.ID+seen]; n >= k && !tells(conditions[q.ID], n, shown, k) {
			p.Seen = &n
			if a := shown[q.ID+answered]; a >= k {
				p.Answered = &a
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// publishedProgress reads a session's progress as it was last published, which it does first once k drafts have changed.
func (s *drafts) publishedProgress(ctx context.Context, session string, k int) (map[string]int, error) {
	reply, err := progressScript.Run(ctx, s.rdb, s.keys.progress(session), k).Slice()
	if err != nil {
		return nil, fmt.Errorf("feedback: read progress: %w", err)
	}
	shown := map[string]int{}
	flat, _ := reply[1].([]any)
	for i := 0; i+1 < len(flat); i += 2 {
		if shown[fmt.Sprint(flat[i])], err = strconv.Atoi(fmt.Sprint(flat[i+1])); err != nil {
			return nil, fmt.Errorf("feedback: read progress: %w", err)
		}
	}
	if reply[0] == int64(1) {
		e := progressEntry{Session: session, Shown: shown}
		if err := s.journal.Note([]journal.Mark{{Kind: entryProgress, Key: session, Value: e}}); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// tells says whether how many came to a question gives away what nobody, everybody or too few answered to one that it
// depends on.
func tells(conditions []string, n int, shown map[string]int, k int) bool {
	return slices.ContainsFunc(conditions, func(id string) bool {
		return !figures.Group{N: shown[id+answered], Picks: []int{n}}.Enough(k)
	})
}

// applyProgress puts back what was last published, after a restart. Drafts that had changed since wait for as many more.
func (s *drafts) applyProgress(ctx context.Context, e progressEntry) error {
	keys := s.keys.progress(e.Session)
	_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, keys[1], keys[2])
		for field, n := range e.Shown {
			p.HSet(ctx, keys[1], field, n)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("feedback: put progress back: %w", err)
	}
	return nil
}
