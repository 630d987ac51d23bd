package main

import (
	"testing"
	"time"

	"jauge/examples"
)

// The example programme begins about now when it is served, with its sessions as far apart as they were; a configuration's stays as it is.
func TestTheExampleBeginsNow(t *testing.T) {
	t.Parallel()
	read := func(origin string) *Config {
		c, err := readConfig(examples.Files, examples.Programme, origin)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	now := time.Date(2031, 2, 3, 10, 7, 0, 0, time.UTC)
	asWritten, served, configured := read(""), read(""), read("jauge.yaml")
	served.beginNow(now)
	configured.beginNow(now)
	if late := now.Sub(served.Sessions[0].StartsAt); late < 0 || late > 5*time.Minute {
		t.Errorf("the first session begins %s before now", late)
	}
	by := served.Sessions[0].StartsAt.Sub(asWritten.Sessions[0].StartsAt)
	for i, s := range served.Sessions {
		was := asWritten.Sessions[i]
		if s.ID != was.ID || s.StartsAt.Sub(was.StartsAt) != by || s.EndsAt.Sub(was.EndsAt) != by {
			t.Errorf("%s: %s to %s", s.ID, s.StartsAt, s.EndsAt)
		}
		if !configured.Sessions[i].StartsAt.Equal(was.StartsAt) {
			t.Errorf("of a file, %s is moved to %s", s.ID, configured.Sessions[i].StartsAt)
		}
	}
	if err := served.inTime(served.Sessions[0], now); err != nil {
		t.Errorf("the first one cannot be played: %v", err)
	}
	if err := served.inTime(served.Sessions[1], now); err == nil {
		t.Error("one of another day can")
	}
}
