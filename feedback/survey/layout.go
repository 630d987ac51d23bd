package survey

import "encoding/json"

// layout is what is worked out from a survey's definition.
type layout struct {
	version    string
	definition json.RawMessage
	all        []Question
	at         map[string]int // by id: where in all
	conditions map[string][]string
	waves      map[string]*Survey // as In returns them

	known, matrices map[string]string // as names returns them
}

// Laid returns the survey with everything worked out ahead that is asked of one again and again. Nobody may change it any more,
// nor what its methods return.
func (s *Survey) Laid() *Survey {
	l := &layout{
		version: s.Version(), definition: s.Definition(), all: s.All(), at: map[string]int{}, conditions: s.Conditions(), waves: map[string]*Survey{},
	}
	for i, q := range l.all {
		if _, twice := l.at[q.ID]; !twice {
			l.at[q.ID] = i
		}
	}
	for _, wave := range s.Waves {
		l.waves[wave.ID] = s.In(wave.ID).Laid()
	}
	l.known, l.matrices = s.names()
	laid := *s
	laid.layout = l
	return &laid
}
