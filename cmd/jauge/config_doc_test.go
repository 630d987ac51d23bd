package main

import (
	"encoding"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/platforms"
	"jauge/programme"
)

// setting is a row of the tables in docs/configuration.md: what is known of a key from the types.
type setting struct {
	Key, Type   string
	Environment string // of the keys that have one
	Default     string // in the first table
}

// keysOf walks the configuration's types; those of a survey have a page of their own.
func keysOf(v reflect.Value, path, environment string) (all []setting) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "" {
			continue
		}
		s := setting{Key: path + name, Type: kindOf(field.Type)}
		if tag := field.Tag.Get("env"); tag != "" {
			s.Environment = "`" + environment + tag + "`"
		}
		if value := v.Field(i); !value.IsZero() {
			s.Default = fmt.Sprintf("`%v`", value)
		}
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		isStruct := inner.Kind() == reflect.Struct && s.Type == ""
		if !isStruct || strings.Contains(path, "[]") { // sections of the file itself are known by their keys alone
			all = append(all, s)
		}
		switch {
		case isStruct && field.Type.Kind() == reflect.Pointer:
			all = append(all, keysOf(reflect.New(inner).Elem(), s.Key+".", "")...)
		case isStruct:
			all = append(all, keysOf(v.Field(i), s.Key+".", environment+field.Tag.Get("envPrefix"))...)
		case s.Type == "list" && name != "surveys":
			all = append(all, keysOf(reflect.New(inner.Elem()).Elem(), s.Key+"[].", "")...)
		}
	}
	return all
}

// kindOf says in a word what a key holds; empty: more keys.
func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Patterns]():
		return "string or list of strings"
	case t == reflect.TypeFor[*programme.Span]():
		return "duration"
	case t.Name() == "Text":
		return "text"
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "time"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return "list of strings"
	}
	return map[reflect.Kind]string{
		reflect.String: "string", reflect.Int: "number", reflect.Bool: "yes or no", reflect.Slice: "list", reflect.Map: "string by string",
	}[t.Kind()]
}

var (
	row      = regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\|(.*)\\|$")
	variable = regexp.MustCompile(`JAUGE_[A-Z_]+`)
)

// The tables of docs/configuration.md have every key, with its type, its variable and its default, and none that is not there.
func TestTheConfigurationIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := defaults()
	want := keysOf(reflect.ValueOf(*c), "", "JAUGE_")
	known := map[string]bool{"JAUGE_CONFIG": true}
	for _, s := range want {
		known[strings.Trim(s.Environment, "`")] = true
	}
	for name := range c.secretFiles() {
		known[name] = true
	}
	delete(known, "")
	var got []setting
	for _, line := range row.FindAllStringSubmatch(string(text), -1) {
		s := setting{Key: line[1]}
		cells := strings.Split(line[2], "|")
		if s.Type = strings.TrimSpace(cells[0]); len(cells) == 4 {
			s.Environment, _, _ = strings.Cut(strings.TrimSpace(cells[1]), ",")
			if s.Default = strings.TrimSpace(cells[2]); !strings.HasPrefix(s.Default, "`") { // words: worked out, or none
				s.Default = ""
			}
		}
		got = append(got, s)
	}
	byKey := func(a, b setting) int { return strings.Compare(a.Key, b.Key) }
	slices.SortFunc(want, byKey)
	slices.SortFunc(got, byKey)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 40 {
		t.Errorf("%d keys in the document (-types +document):\n%s", len(got), diff)
	}
	documented := map[string]bool{}
	for _, name := range variable.FindAllString(string(text), -1) {
		documented[name] = true
	}
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("variables (-types +document):\n%s", diff)
	}
	for _, platform := range slices.Sorted(maps.Keys(platforms.Dialects)) {
		if !strings.Contains(string(text), "`"+platform+"`") {
			t.Errorf("the platform %s is not in the document", platform)
		}
	}
}
