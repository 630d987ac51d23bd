package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"jauge/internal/journal"
)

// journalCmd is `jauge journal`: what waits on this disk, and what the store refused.
type journalCmd struct {
	List  journalListCmd  `cmd:"" default:"withargs" help:"List what waits for the store, and what it refused, with the reason; never what is in it."`
	Retry journalRetryCmd `cmd:"" help:"Offer refused entries to the store again: all of them, or those named. Exit 1 if it refuses one."`
	Drop  journalDropCmd  `cmd:"" help:"Delete refused entries for good."`

	Config string `help:"Configuration file (default: $JAUGE_CONFIG, ./jauge.yaml, the built-in example programme)." type:"path"`
}

// journalList is what `jauge journal list` prints.
type journalList struct {
	Waiting []journal.Waiting `json:"waiting"`
	Refused []journal.Refused `json:"refused"`
}

// journalHolder has the journal open: the running service, asked on its control port, or this process.
type journalHolder interface {
	List(ctx context.Context) (journalList, error)
	// Retry offers refused entries to the store again, all of them without ids.
	Retry(ctx context.Context, ids []string) (retried, error)
	Drop(ctx context.Context, ids []string) (int, error)
	io.Closer
}

// retried is what became of entries that were offered again.
type retried struct {
	Applied int `json:"applied"`
	Refused int `json:"refused"`
	Later   int `json:"later"` // the service is not running: they are offered at its next start
}

// open finds who has the journal of the configuration's data_dir open, or opens it.
func (cmd *journalCmd) open() (journalHolder, error) {
	c, err := loadConfig(cmd.Config)
	if err != nil {
		return nil, err
	}
	if service, runs := runningService(c.DataDir); runs {
		return service, nil
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, "journal.db")); err != nil {
		return nil, fmt.Errorf("journal: there is none in %s: is data_dir that of the service?", c.DataDir)
	}
	mode := journal.Beside
	if c.RedisURL == "" {
		mode = journal.Ahead
	}
	j, err := journal.Open(c.DataDir, journal.Options{Mode: mode, Judge: judge})
	if errors.Is(err, journal.ErrInUse) {
		return nil, fmt.Errorf("%w; or, if it is jauge itself, look why it does not answer as %s says", err, controlPath(c.DataDir))
	}
	if err != nil {
		return nil, err
	}
	return idleJournal{j}, nil
}

// idleJournal is a journal that no service works on.
type idleJournal struct{ *journal.Journal }

// List implements journalHolder.
func (r idleJournal) List(context.Context) (journalList, error) { return listOf(r.Journal) }

// Retry implements journalHolder: entries are applied when the service starts.
func (r idleJournal) Retry(_ context.Context, ids []string) (retried, error) {
	n, err := r.Again(ids...)
	return retried{Later: n}, err
}

// Drop implements journalHolder.
func (r idleJournal) Drop(_ context.Context, ids []string) (int, error) {
	return r.Journal.Drop(ids...)
}

func listOf(j *journal.Journal) (l journalList, err error) {
	l.Waiting, l.Refused, err = j.List()
	return l, err
}

type journalListCmd struct {
	JSON bool `help:"As JSON." name:"json"`
}

// Run prints the list.
func (cmd journalListCmd) Run(parent *cli, out output) error {
	k, err := parent.Journal.open()
	if err != nil {
		return err
	}
	defer k.Close() //nolint:errcheck // nothing was written
	list, err := k.List(context.Background())
	if err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(out.out).Encode(list)
	}
	return list.print(out.out)
}

func (l journalList) print(w io.Writer) error {
	if len(l.Waiting)+len(l.Refused) == 0 {
		_, err := fmt.Fprintln(w, "Nothing waits, nothing was refused.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(l.Waiting) > 0 {
		fmt.Fprintln(t, "WAITING\tENTRIES")
		for _, one := range l.Waiting {
			fmt.Fprintf(t, "%s\t%d\n", one.Kind, one.Entries)
		}
	}
	if len(l.Refused) > 0 {
		fmt.Fprintln(t, "REFUSED\tKIND\tWHY\tTRIES\tSINCE\tNEXT TRY")
		for _, one := range l.Refused {
			next := "by hand, or at the next start"
			if !one.Next.IsZero() {
				next = one.Next.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", one.ID, one.Kind, one.Why, one.Tries, one.Since.Format(time.RFC3339), next)
		}
	}
	return t.Flush()
}

type journalRetryCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"As the list has them; without any, all."`
}

// errRefusedAgain ends retry with exitFailed; how many were refused has been printed.
var errRefusedAgain = errors.New("the store refused entries again: see jauge journal list")

// Run offers entries again.
func (cmd journalRetryCmd) Run(parent *cli, out output) error {
	k, err := parent.Journal.open()
	if err != nil {
		return err
	}
	defer k.Close() //nolint:errcheck // what was written is
	r, err := k.Retry(context.Background(), cmd.IDs)
	if err != nil {
		return err
	}
	if r.Later > 0 {
		_, err = fmt.Fprintf(out.out, "The service is not running: what was refused (%d) is tried when it starts.\n", r.Later)
		return err
	}
	fmt.Fprintf(out.out, "%d taken, %d refused again.\n", r.Applied, r.Refused)
	if r.Refused > 0 {
		return errRefusedAgain
	}
	return nil
}

type journalDropCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"As the list has them."`
	All bool     `help:"Every refused entry."`
}

// Run deletes entries.
func (cmd journalDropCmd) Run(parent *cli, out output) error {
	if cmd.All == (len(cmd.IDs) > 0) {
		return errors.New("name the entries to drop by their ids, or say --all: they are deleted for good")
	}
	k, err := parent.Journal.open()
	if err != nil {
		return err
	}
	defer k.Close() //nolint:errcheck // what was written is
	if cmd.All {
		list, err := k.List(context.Background())
		if err != nil {
			return err
		}
		for _, one := range list.Refused {
			cmd.IDs = append(cmd.IDs, one.ID)
		}
	}
	n, err := k.Drop(context.Background(), cmd.IDs)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.out, "%d dropped.\n", n)
	return err
}
