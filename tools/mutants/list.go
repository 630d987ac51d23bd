package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one change of the code that a test has to notice.
type mutant struct {
	Name       string
	File       string   // from the root of the module, with slashes
	Test       []string // the arguments of go test: packages, then flags
	Old, New   string   // the old text stands in the file exactly once
	Equivalent string   // why nothing can notice it; empty: something has to
}

// parse reads a list of mutants:
//
//	file: internal/journal/journal.go
//	test: ./internal/journal -run Marks
//
//	mutant: of two marks of one rank the later one stays
//	- e.Rank < m.Rank
//	+ e.Rank <= m.Rank
//
// file and test hold for the mutants below them. Lines of - and + are the old and the new text, without the mark and the space behind it; no +
// takes the old text away. A line "equivalent: …" says why nothing can notice the mutant above it. Empty lines, and those that begin
// with #, say nothing.
func parse(name, text string) (all []mutant, err error) {
	var next, none mutant
	var errs []error
	m := &none // what the lines are about
	for number, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case key == "file:":
			next.File = value
		case key == "test:":
			next.Test = strings.Fields(value)
		case key == "mutant:":
			next.Name = value
			all = append(all, next)
			m = &all[len(all)-1]
		case m != &none && key == "-":
			m.Old += value + "\n"
		case m != &none && key == "+":
			m.New += value + "\n"
		case m != &none && key == "equivalent:":
			m.Equivalent = value
		case line != "" && !strings.HasPrefix(line, "#"):
			errs = append(errs, fmt.Errorf("%s:%d: %q says nothing here", name, number+1, line))
		}
	}
	for i := range all {
		m := &all[i]
		m.Old, m.New = strings.TrimSuffix(m.Old, "\n"), strings.TrimSuffix(m.New, "\n")
		if m.Name == "" || m.File == "" || len(m.Test) == 0 || m.Old == "" || m.Old == m.New {
			errs = append(errs, fmt.Errorf("%s: %q needs a name, a file, a test, and an old text that differs from the new one", name, m.Name))
		}
	}
	return all, errors.Join(errs...)
}

// read reads every list of a folder.
func read(folder string) (all []mutant, err error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		some, err := parse(filepath.Base(name), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// apply gives the mutated text of the mutant's file.
func (m mutant) apply(text string) (string, error) {
	if n := strings.Count(text, m.Old); n != 1 {
		return "", fmt.Errorf("%s: the old text stands there %d times, not once", m.File, n)
	}
	return strings.Replace(text, m.Old, m.New, 1), nil
}
