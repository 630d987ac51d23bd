package survey

import "regexp"

// Kind is the kind of a question.
type Kind string

// The kinds of questions.
const (
	Scale     Kind = "scale"   // whole numbers from Min to Max, the ends named by Low and High
	NPS       Kind = "nps"     // 0 to 10: "would you recommend …"
	Single    Kind = "choice"  // one of Choices
	Multiple  Kind = "choices" // any of Choices, at most MaxChoices
	Ranking   Kind = "ranking" // Choices in the order of preference, all of them or the first few
	Matrix    Kind = "matrix"  // Rows, each a scale (Min to Max) or a choice (of Choices); see Question.Items
	YesNo     Kind = "yesno"   // "yes" or "no"
	Number    Kind = "number"  // a whole number from Min to Max, of Unit
	ShortText Kind = "short"   // one line, at most MaxLength characters
	FreeText  Kind = "text"    // a few lines, at most MaxLength characters
	Consent   Kind = "consent" // "yes", or nothing: a box to tick
)

var Kinds = []Kind{Scale, NPS, Single, Multiple, Ranking, Matrix, YesNo, Number, ShortText, FreeText, Consent}

// The two values of a yes-no question.
const (
	Yes = "yes"
	No  = "no"
)

var (
	// ids are what questions, choice values, surveys, sections, waves and segments are called: short, and safe in keys,
	// labels and addresses.
	Ids = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

	// items are what the questions of a survey are called once it is laid out: "question", "matrix.row", either "@wave".
	Items = regexp.MustCompile(`^[a-z0-9_-]{1,64}(\.[a-z0-9_-]{1,64})?(@[a-z0-9_-]{1,64})?$`)
)
