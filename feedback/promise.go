package feedback

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
)

// Promise is what people are told before the first question. What was promised with the first answer of a session holds
// for all of them: it is kept with the answers, whatever becomes of the configuration, and can only be tightened.
type Promise struct {
	Linked       bool `json:"linked,omitempty"` // several answers of one person are kept together; else never
	MinimumGroup int  `json:"minimum_group"`    // no figure tells about fewer people
	Minors       bool `json:"minors,omitempty"` // no words of theirs are kept
}

// Level is the level of anonymity that is promised.
func (p Promise) Level() string {
	if p.Linked {
		return survey.Linked
	}
	return survey.Anonymous
}

// tighten returns what holds when both were promised.
func (p Promise) tighten(other Promise) Promise {
	return Promise{
		Linked:       p.Linked && other.Linked,
		MinimumGroup: max(p.MinimumGroup, other.MinimumGroup),
		Minors:       p.Minors || other.Minors,
	}
}

// told returns what was promised to those who answered in a session; nil: nobody has answered yet.
func (b *base) told(ctx context.Context, session string) (*Promise, error) {
	return readPromise(b.rdb.HGetAll(ctx, b.keys.promise(session)))
}

func readPromise(cmd *redis.MapStringStringCmd) (*Promise, error) {
	fields, err := cmd.Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read what was promised: %w", err)
	}
	if len(fields) == 0 {
		return nil, nil
	}
	p := &Promise{Linked: fields["level"] == survey.Linked, Minors: fields["minors"] == "1"}
	p.MinimumGroup, _ = strconv.Atoi(fields["k"]) // written by apply.lua alone
	return p, nil
}

// args are those of apply.lua; without a promise, nothing new is promised.
func (p *Promise) args() (level string, k int, minors string) {
	if p == nil {
		return "", 0, ""
	}
	if p.Minors {
		minors = "1"
	}
	return p.Level(), p.MinimumGroup, minors
}
