package survey

// Single is one of Choices.
const Single Kind = "choice"

type single struct{ offered }

func (single) traits() traits { return traits{fields: []string{"choices"}} }
