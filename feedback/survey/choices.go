package survey

// Multiple is any of Choices, at most MaxChoices.
const Multiple Kind = "choices"

type multiple struct{ offered }

func (multiple) traits() traits {
	return traits{fields: []string{"choices", "max_choices"}, several: true}
}

func (multiple) fromJSON(_ Question, value any) ([]string, *FieldError) { return fromList(value) }

func (multiple) toJSON(v Value) any { return v }

func (m multiple) read(q Question, said []string) (Value, *FieldError) {
	v, err := m.offered.read(q, said)
	if err == nil && q.MaxChoices > 0 && len(v) > q.MaxChoices {
		return nil, &FieldError{Code: TooMany, Max: q.MaxChoices}
	}
	return v, err
}

// fromList reads a JSON list of values.
func fromList(value any) ([]string, *FieldError) {
	wrong := &FieldError{Code: Type, Want: "a list of strings"}
	list, ok := value.([]any)
	if !ok {
		return nil, wrong
	}
	said := make([]string, len(list))
	for i, item := range list {
		if said[i], ok = item.(string); !ok {
			return nil, wrong
		}
	}
	return said, nil
}
