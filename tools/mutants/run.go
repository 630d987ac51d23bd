package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// runner tries mutants of the module in a folder.
type runner struct {
	root  string
	out   io.Writer
	jobs  int
	limit time.Duration // of the tests of one mutant

	mu   sync.Mutex
	done int
}

// outcome is what became of a mutant.
type outcome string

const (
	killed    outcome = "killed"     // a test noticed it
	survived  outcome = "SURVIVED"   // none did
	expected  outcome = "equivalent" // none did, and the list says why none can
	untried   outcome = "untried"    // there was no time left
	misjudged outcome = "KILLED"     // a test noticed what the list calls equivalent
	broken    outcome = "BROKEN"     // it could not be tried
)

func chosen(all []mutant, text string) []mutant {
	return slices.DeleteFunc(slices.Clone(all), func(m mutant) bool { return !strings.Contains(m.Name, text) && !strings.Contains(m.File, text) })
}

// run tries mutants, says what becomes of each, and returns an error unless all are killed or equivalent.
func (r *runner) run(ctx context.Context, all []mutant) error {
	if len(all) == 0 {
		return errors.New("no mutant has this text in its name or file")
	}
	if err := r.baseline(ctx, all); err != nil {
		return err
	}
	outcomes := make([]outcome, len(all))
	slots := make(chan struct{}, r.jobs)
	var wait sync.WaitGroup
	for i, m := range all {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			began := time.Now()
			var why string
			outcomes[i], why = r.try(ctx, m)
			r.say(len(all), outcomes[i], time.Since(began), m, why)
		})
	}
	wait.Wait()
	return r.sum(all, outcomes)
}

// baseline runs, without a change, the tests that are to notice the mutants: each of their packages has to run one, and all have to pass.
func (r *runner) baseline(ctx context.Context, all []mutant) error {
	seen := map[string]bool{}
	for _, m := range all {
		test := strings.Join(m.Test, " ")
		if seen[test] {
			continue
		}
		seen[test] = true
		began := time.Now()
		text, err := r.test(ctx, m.Test, "")
		fmt.Fprintf(r.out, "without a change: go test %s: %.1f s\n", test, time.Since(began).Seconds())
		if err != nil {
			return fmt.Errorf("the tests fail without a change: go test %s: %w\n%s", test, err, text)
		}
		if nothing.MatchString(text) {
			return fmt.Errorf("nothing is tested by go test %s:\n%s", test, text)
		}
	}
	return nil
}

var nothing = regexp.MustCompile(`\[no test(s to run| files)\]`)

// unbuilt is what go test says of a change that is no program, and a store of a script that is none.
var unbuilt = regexp.MustCompile(`\[(build|setup) failed\]|Error compiling script`)

// try runs the tests of one mutant.
func (r *runner) try(ctx context.Context, m mutant) (outcome, string) {
	if ctx.Err() != nil {
		return untried, ""
	}
	overlay, remove, err := r.overlay(m)
	if err != nil {
		return broken, err.Error()
	}
	defer remove()
	text, err := r.test(ctx, m.Test, overlay)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return untried, ""
	case err != nil && (!errors.As(err, &exit) || unbuilt.MatchString(text)):
		return broken, fmt.Sprintf("%v\n%s", err, text)
	case err != nil && m.Equivalent != "":
		return misjudged, text
	case err != nil:
		return killed, ""
	case m.Equivalent != "":
		return expected, ""
	}
	return survived, ""
}

// overlay writes the mutated file and what tells go test of it; remove takes both away.
func (r *runner) overlay(m mutant) (name string, remove func(), err error) {
	file, err := filepath.Abs(filepath.Join(r.root, filepath.FromSlash(m.File)))
	if err != nil {
		return "", nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", nil, err
	}
	mutated, err := m.apply(string(text))
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", nil, err
	}
	other := filepath.Join(dir, filepath.Base(file))
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{file: other}})
	name = filepath.Join(dir, "overlay.json")
	err = errors.Join(err, os.WriteFile(other, []byte(mutated), 0o600), os.WriteFile(name, list, 0o600))
	return name, func() { _ = os.RemoveAll(dir) }, err
}

// test runs go test in the module and gives what it says.
func (r *runner) test(ctx context.Context, test []string, overlay string) (string, error) {
	args := []string{"test", "-vet=off", "-tags", "nomsgpack", "-count=1", "-timeout", r.limit.String()}
	if overlay != "" {
		args = append(args, "-failfast", "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, test...)...)
	cmd.Dir = r.root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what the tests start goes with them
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func (r *runner) say(of int, o outcome, took time.Duration, m mutant, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	fmt.Fprintf(r.out, "%3d/%d %-10s %5.1f s  %s (%s)\n", r.done, of, o, took.Seconds(), m.Name, m.File)
	if why != "" {
		fmt.Fprintln(r.out, why)
	}
}

// sum prints what is left to say of all, and returns an error unless it is good.
func (r *runner) sum(all []mutant, outcomes []outcome) error {
	count := map[outcome]int{}
	for _, o := range outcomes {
		count[o]++
	}
	tried := len(all) - count[untried] - count[broken]
	bad := len(all) - count[killed] - count[expected]
	if count[survived] == 0 {
		fmt.Fprintf(r.out, "survivors: none, %d tried", tried)
	} else {
		fmt.Fprintf(r.out, "survivors: %d, %d tried", count[survived], tried)
	}
	for _, o := range []outcome{expected, untried, broken, misjudged} {
		if count[o] > 0 {
			fmt.Fprintf(r.out, ", %d %s", count[o], o)
		}
	}
	fmt.Fprintln(r.out)
	for i, m := range all {
		if outcomes[i] != killed && outcomes[i] != untried {
			fmt.Fprintf(r.out, "  %s: %s (%s) %s\n", outcomes[i], m.Name, m.File, m.Equivalent)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d mutants are not as they should be", bad, len(all))
	}
	return nil
}
