package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"jauge/internal/problem"
)

// decodeYAML decodes one document into v and lists every unknown key with its path. A document that cannot be decoded at
// all is one problem, with its line.
func decodeYAML(text []byte, v any) problem.Problems {
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return problem.Problems{yamlProblem(err)}
	}
	if err := yaml.Unmarshal(text, v); err != nil {
		return problem.Problems{yamlProblem(err)}
	}
	return unknownKeys("", tree, reflect.TypeOf(v))
}

// yamlProblem reduces the library's error to one line: its excerpt of the source could show a secret.
func yamlProblem(err error) problem.Problem {
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil && located.GetToken().Position != nil {
		at := located.GetToken().Position
		return problem.Problem{Path: fmt.Sprintf("line %d, column %d", at.Line, at.Column), Message: located.GetMessage()}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return problem.Problem{Path: "line 1", Message: first}
}

// unknownKeys walks a decoded document beside the type that it was decoded into.
func unknownKeys(path string, tree any, t reflect.Type) (ps problem.Problems) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch tree := tree.(type) {
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil
		}
		known := yamlFields(t)
		for _, key := range slices.Sorted(maps.Keys(tree)) {
			at := strings.TrimPrefix(path+"."+key, ".")
			field, ok := known[key]
			if !ok {
				ps = append(ps, problem.Problem{Path: at, Message: "unknown key"})
				continue
			}
			ps = append(ps, unknownKeys(at, tree[key], field)...)
		}
	case []any:
		if t.Kind() != reflect.Slice {
			return nil
		}
		for i, item := range tree {
			ps = append(ps, unknownKeys(fmt.Sprintf("%s[%d]", path, i), item, t.Elem())...)
		}
	}
	return ps
}

// yamlFields gives the type of each key that a struct takes.
func yamlFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(options, "inline"):
			maps.Copy(fields, yamlFields(t.Field(i).Type))
		case name != "" && name != "-":
			fields[name] = t.Field(i).Type
		}
	}
	return fields
}
