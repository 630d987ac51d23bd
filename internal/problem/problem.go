// Package problem collects every mistake of a definition, so that all are told at once.
package problem

import "strings"

// Problem is one mistake: where it is (sessions[1].id) and what is wrong.
type Problem struct {
	Path    string
	Message string
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Problems is an error that holds at least one problem, a line each.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems as an error, or nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Under returns the problems with their paths set below prefix.
func (ps Problems) Under(prefix string) Problems {
	out := make(Problems, len(ps))
	for i, p := range ps {
		path := prefix
		if p.Path != "" {
			path += "." + p.Path
		}
		out[i] = Problem{Path: path, Message: p.Message}
	}
	return out
}
