package survey

// ShortText is one line, at most MaxLength characters.
const ShortText Kind = "short"

type shortText struct{ freeText }

func (shortText) traits() traits { return traits{fields: []string{"max_length"}, length: 120} }

func (shortText) read(q Question, said []string) (Value, *FieldError) {
	return readText(q, said[0], false)
}
