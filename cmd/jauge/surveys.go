package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"jauge/feedback/survey"
	"jauge/internal/problem"
)

// surveysCmd is `jauge surveys`.
type surveysCmd struct {
	ID string `arg:"" optional:"" help:"Print this one as YAML, to be changed and included."`
}

// Help is what --help says below the flags' own line.
func (surveysCmd) Help() string {
	return `A session may ask a ready survey by naming it (survey: vocation). To change one, print it into a file that the
configuration includes: a survey of the configuration takes the place of the ready one with the same id.`
}

// Run lists the ready surveys, or prints one.
func (cmd surveysCmd) Run(out output) error {
	if cmd.ID != "" {
		text, err := survey.Bank.ReadFile("bank/" + cmd.ID + ".yaml")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return problem.Problems{{Path: cmd.ID, Message: "no ready survey has this id: jauge surveys lists them"}}
		}
		if err != nil {
			return err
		}
		_, err = out.out.Write(text)
		return err
	}
	surveys, err := bank()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
	for _, s := range surveys {
		fmt.Fprintf(table, "%s\t%d questions\t%s\t%s\n", s.ID, len(s.All()), s.Title.In("fr"), s.Title.In("en"))
	}
	return table.Flush()
}

// bank reads the ready surveys, by id.
func bank() ([]survey.Survey, error) {
	files, err := fs.Glob(survey.Bank, "bank/*.yaml")
	if err != nil {
		return nil, err
	}
	surveys := make([]survey.Survey, len(files))
	for i, file := range files {
		text, err := survey.Bank.ReadFile(file)
		if err != nil {
			return nil, err
		}
		ps := decodeYAML(text, &surveys[i])
		ps = append(ps, surveys[i].Validate()...)
		if id := strings.TrimSuffix(path.Base(file), ".yaml"); surveys[i].ID != id {
			ps = append(ps, problem.Problem{Path: "id", Message: "is not the file's name"})
		}
		if len(ps) > 0 {
			return nil, ps.Under(file)
		}
	}
	slices.SortFunc(surveys, func(a, b survey.Survey) int { return strings.Compare(a.ID, b.ID) })
	return surveys, nil
}
