package handlers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/internal/redistest"
)

// sent collects the commands that go to the store for one request: those whose context comes from it. What a service does by
// itself, behind the requests, is not among them.
type sent struct {
	mu       sync.Mutex
	commands []string
}

type sentKey struct{}

func (s *sent) add(cmds ...redis.Cmder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cmd := range cmds {
		s.commands = append(s.commands, strings.TrimSpace(fmt.Sprint(cmd.Args()[0], " ", cmd.Args()[min(1, len(cmd.Args())-1)])))
	}
}

// spy is a hook that writes commands into the sent of their context.
type spy struct{}

func (spy) DialHook(next redis.DialHook) redis.DialHook { return next }

func (spy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if s, ok := ctx.Value(sentKey{}).(*sent); ok {
			s.add(cmd)
		}
		return next(ctx, cmd)
	}
}

func (spy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if s, ok := ctx.Value(sentKey{}).(*sent); ok {
			s.add(cmds...)
		}
		return next(ctx, cmds)
	}
}

// TestCommandsOfARequest counts what each kind of request asks of Redis, right after something new was recorded. A pipelined
// command counts like any other. It prints the table.
func TestCommandsOfARequest(t *testing.T) {
	t.Parallel()
	shared, prefix := redistest.Redis()
	options := shared.(*redis.Client).Options()
	rdb := redis.NewClient(&redis.Options{Network: options.Network, Addr: options.Addr, DisableIdentity: true})
	rdb.AddHook(spy{})
	t.Cleanup(func() { _ = rdb.Close() })
	s := newSite(t, rdb, prefix, func(d *setup) {
		vocational := vocation()
		vocational.Anonymity = survey.Anonymous
		d.Surveys["vocation"] = vocational
	})
	const organiserSide = true
	joins := 0
	news := func() { // a person comes
		joins++
		s.event("zoom", attendance.Event{
			Kind: attendance.Joined, Room: "951", Occurrence: "o==", Attendee: fmt.Sprint("a", joins), Connection: fmt.Sprint(joins), At: start.Add(time.Duration(joins) * time.Second),
		})
	}
	for range 30 {
		news()
	}
	answers := map[string]any{"before": 2, "now": 4, "recommend": 9, "liked": []string{"talk"}, "words": "Merci"}
	for range 12 {
		s.answer("metier", answers)
	}
	texts, err := s.asked().Texts(t.Context())
	if err != nil || len(texts) != 12 {
		t.Fatalf("%d texts: %v", len(texts), err)
	}
	if _, err := s.asked().Moderate(t.Context(), texts[0].ID, feedback.Approve); err != nil {
		t.Fatal(err)
	}
	s.answer("metier", answers) // it waits for others
	webhook := func(body func(i int) (string, []byte)) func(int) call {
		return func(i int) call {
			contentType, b := body(i)
			return s.webhook("standard", contentType, b)
		}
	}
	read := func(path string) func(int) call {
		return func(int) call { return call{path: path, organiser: organiserSide} }
	}
	rows := []struct {
		name string
		most int
		code int
		call func(i int) call
	}{
		{"GET /sessions/{id}", 10, 200, read("/sessions/metier")},
		{"GET /sessions/{id}/live", 5, 200, read("/sessions/metier/live")},
		{"GET /sessions/{id}/results", 8, 200, read("/sessions/metier/results")},
		{"GET /api/v1/sessions/{id}", 5, 200, read("/api/v1/sessions/metier")},
		{"GET …/curve", 3, 200, read("/api/v1/sessions/metier/curve")},
		{"GET …/feedback", 8, 200, read("/api/v1/sessions/metier/feedback")},
		{"GET …/answers.csv", 6, 200, read("/api/v1/sessions/metier/answers.csv")},
		{"GET /feedback/{session}", 3, 200, func(int) call { return call{path: "/feedback/metier"} }},
		{"POST /feedback/{session} (JSON)", 2, 201, func(int) call {
			return call{method: http.MethodPost, path: "/feedback/metier", json: map[string]any{"answers": answers}}
		}},
		{"webhook: a join", 2, 200, webhook(func(i int) (string, []byte) {
			return "application/json", fmt.Appendf(nil, `{"type":"attendee.joined","timestamp":%q,"data":{"room":"hall","attendee":"w%d"}}`, start.Add(time.Minute).Format(time.RFC3339), i)
		})},
		{"webhook: answers", 4, 200, webhook(func(i int) (string, []byte) {
			return "application/json", fmt.Appendf(nil, `{"type":"answers.submitted","timestamp":%q,"data":{"room":"hall","submission":"k%d","answers":{"before":2,"now":3}}}`, start.Add(time.Minute).Format(time.RFC3339), i)
		})},
	}
	t.Logf("%-34s %8s %6s", "request", "commands", "most")
	for _, row := range rows {
		var last *sent
		for i := range 3 { // warm: scripts are loaded, and what is kept for long is kept
			news()
			last = &sent{}
			request := row.call(i)
			request.context = context.WithValue(t.Context(), sentKey{}, last)
			if w := s.do(request); w.Code != row.code {
				t.Fatalf("%s: %d %s", row.name, w.Code, w.Body)
			}
		}
		t.Logf("%-34s %8d %6d", row.name, len(last.commands), row.most)
		if len(last.commands) > row.most {
			t.Errorf("%s sends %d commands, at most %d may be: %s", row.name, len(last.commands), row.most, strings.Join(last.commands, ", "))
		}
		if i := slices.IndexFunc(last.commands, func(c string) bool { return strings.HasPrefix(c, "hscan") }); i >= 0 {
			t.Errorf("%s reads people itself: %s", row.name, last.commands[i])
		}
	}
}
