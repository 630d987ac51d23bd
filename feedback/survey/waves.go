package survey

import (
	"maps"
	"slices"
	"strings"
	"time"

	"jauge/internal/text"
)

// Wave is one of the times at which a survey is asked.
type Wave struct {
	ID    string    `yaml:"id" json:"id"`
	Title text.Text `yaml:"title" json:"title"`

	// Opens is when, by the session's planned times: "start", "end", or either with a duration as Go writes it, "end+336h"
	// or "start-48h". Empty for the first wave, which is open from the beginning.
	Opens string `yaml:"opens,omitempty" json:"opens,omitempty"`
}

// Linked says whether a person's answers of several waves are kept together, under a token that the person keeps. So they
// are where there are waves, unless Anonymity is "anonymous".
func (s *Survey) Linked() bool { return len(s.Waves) > 0 && s.Anonymity != Anonymous }

// WaveIDs lists the ids of the waves; of a survey without waves, the empty one.
func (s *Survey) WaveIDs() []string {
	if len(s.Waves) == 0 {
		return []string{""}
	}
	names := make([]string, len(s.Waves))
	for i, w := range s.Waves {
		names[i] = w.ID
	}
	return names
}

// In returns what is asked in a wave, as a survey without waves: each id has "@wave" at its end. Of a survey without
// waves, In("") is the survey itself. It returns nil when there is no such wave.
//
// A question that is asked in several waves is paired, in each later one, with itself in the first, unless it has a pair
// already: its answers before and after are compared like any others.
func (s *Survey) In(wave string) *Survey {
	switch {
	case !slices.Contains(s.WaveIDs(), wave):
		return nil
	case wave == "":
		return s
	case s.layout != nil:
		return s.layout.waves[wave]
	}
	asked := s.only(func(p Section, q Question) bool { return slices.Contains(s.askedIn(p, q), wave) })
	asked.Waves = nil
	for i := range asked.Sections {
		asked.Sections[i].ShowIf, asked.Sections[i].Waves = asked.Sections[i].ShowIf.in(wave), nil
	}
	first := map[string]string{} // by question: the first wave that asks it
	for _, page := range s.Pages() {
		for _, q := range page.Questions {
			if in := s.askedIn(page, q); len(in) > 0 {
				first[q.ID] = in[0]
			}
		}
	}
	for _, page := range asked.Pages() { // the questions are asked's own, only has cloned them
		for i, q := range page.Questions {
			switch {
			case q.Pair != "":
				q.Pair += "@" + wave
			case first[q.ID] != wave && q.compares():
				q.Pair = q.ID + "@" + first[q.ID]
			}
			q.ID += "@" + wave
			q.ShowIf, q.Waves = q.ShowIf.in(wave), nil
			page.Questions[i] = q
		}
	}
	return asked
}

// askedIn lists the waves in which a question of a section is asked, in their order.
func (s *Survey) askedIn(p Section, q Question) []string {
	return slices.DeleteFunc(s.WaveIDs(), func(wave string) bool {
		return wave != "" && (len(p.Waves) > 0 && !slices.Contains(p.Waves, wave) || len(q.Waves) > 0 && !slices.Contains(q.Waves, wave))
	})
}

func (c *Condition) in(wave string) *Condition {
	if c == nil {
		return nil
	}
	return &Condition{Question: c.Question + "@" + wave, Is: c.Is}
}

// compares says whether two answers to the question tell what went up or down.
func (q Question) compares() bool {
	return slices.ContainsFunc(q.Items(), Question.Ordered)
}

// WaveAt returns the wave that is asked at a moment, by the session's planned start and end: the last one that has opened.
// It is empty for a survey without waves.
func (s *Survey) WaveAt(start, end, now time.Time) string {
	at := ""
	for i, w := range s.Waves {
		opens, ok := w.OpensAt(start, end)
		if i == 0 || ok && !opens.After(now) {
			at = w.ID
		}
	}
	return at
}

// OpensAt returns when the wave opens, by the session's planned start and end; false if Opens is not a moment, as in the
// first wave, or the session has no such time.
func (w Wave) OpensAt(start, end time.Time) (time.Time, bool) {
	base, after := start, strings.TrimPrefix(w.Opens, "start")
	if strings.HasPrefix(w.Opens, "end") {
		base, after = end, strings.TrimPrefix(w.Opens, "end")
	} else if after == w.Opens {
		return time.Time{}, false
	}
	if after == "" {
		return base, !base.IsZero()
	}
	d, err := time.ParseDuration(after)
	if err != nil || after[0] != '+' && after[0] != '-' {
		return time.Time{}, false
	}
	return base.Add(d), !base.IsZero()
}

// Answered lists the waves that answers are of, in their order.
func (s *Survey) Answered(answers Answers) []string {
	return slices.DeleteFunc(s.WaveIDs(), func(wave string) bool {
		return !slices.ContainsFunc(slices.Collect(maps.Keys(answers)), func(id string) bool { return WaveOf(id) == wave })
	})
}

// AddsWave says whether answers are of a wave that those before are not of.
func (s *Survey) AddsWave(before, answers Answers) bool {
	known := s.Answered(before)
	return slices.ContainsFunc(s.Answered(answers), func(wave string) bool { return !slices.Contains(known, wave) })
}

// Merge is what a person's answers become who answers again: the waves that are answered now replace what was said in
// them, the others stay. Without waves it is the new answers.
func (s *Survey) Merge(old, answers Answers) Answers {
	merged := Answers{}
	for id, v := range old {
		_, wave, waved := strings.Cut(id, "@")
		again := func(now string) bool { return strings.HasSuffix(now, "@"+wave) }
		if waved && !slices.ContainsFunc(slices.Collect(maps.Keys(answers)), again) {
			merged[id] = v
		}
	}
	maps.Copy(merged, answers)
	return merged
}

// WaveOf is the wave that an item is asked in: what follows the @ of its id.
func WaveOf(question string) string {
	_, wave, _ := strings.Cut(question, "@")
	return wave
}

// Beside returns the answers of other waves.
func (a Answers) Beside(wave string) Answers {
	others := Answers{}
	for id, v := range a {
		if WaveOf(id) != wave {
			others[id] = v
		}
	}
	return others
}

// And adds the answers to questions that a does not have.
func (a Answers) And(more Answers) Answers {
	both := Answers{}
	for id, v := range more {
		both[id] = v
	}
	for id, v := range a {
		both[id] = v
	}
	return both
}
