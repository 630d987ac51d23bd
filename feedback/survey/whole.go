package survey

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// whole is what kinds share whose values are the whole numbers between two ends.
type whole struct{ base }

func (whole) values(q Question) []string {
	low, high := q.Ends()
	if low > high || high-low > maxSpan { // as Validate says
		return nil
	}
	values := make([]string, 0, high-low+1)
	for n := low; n <= high; n++ {
		values = append(values, strconv.Itoa(n))
	}
	return values
}

// shape has the ends in it: answers given before a scale was changed from five points to ten are others.
func (whole) shape(q Question) string {
	low, high := q.Ends()
	return fmt.Sprintf("%s%d-%d", q.Kind, low, high)
}

func (whole) fromJSON(q Question, value any) ([]string, *FieldError) {
	var n float64
	var err error
	switch v := value.(type) {
	case json.Number:
		n, err = v.Float64()
	case float64:
		n = v
	case int:
		n = float64(v)
	case string:
		return nil, &FieldError{Code: Type, Want: "a number, not a string"}
	default:
		return nil, &FieldError{Code: Type, Want: "a number"}
	}
	low, high := q.Ends()
	if err != nil || n != math.Trunc(n) || n < float64(low) || n > float64(high) {
		return nil, outside(q)
	}
	return []string{strconv.Itoa(int(n))}, nil
}

func (whole) toJSON(v Value) any { return json.Number(v.String()) }

func (w whole) fromTool(q Question, said string) (string, *FieldError) {
	digits, err := w.fromJSON(q, json.Number(strings.TrimSpace(said)))
	if err != nil {
		return "", err
	}
	return digits[0], nil
}

func (whole) read(q Question, said []string) (Value, *FieldError) {
	return readPicks(q, said, *outside(q))
}

// outside is the mistake of what is not between the ends.
func outside(q Question) *FieldError {
	low, high := q.Ends()
	return &FieldError{Code: Range, Min: low, Max: high}
}
