// Command mutants changes the code of the heart of jauge in small ways, one at a time, and says which of the changes no test notices: each is a promise that
// nothing holds.
//
//	go run -C tools/mutants . [-only TEXT] [-j N] [-timeout DURATION] [-budget DURATION]
//
// The mutants stand in the lists beside it, see parse in list.go. The files of the module are not touched: go test reads the changed one from
// elsewhere (-overlay), embedded scripts too. First, the tests that are to notice something have to pass without a change.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "try only mutants whose name or file holds this text")
	jobs := flag.Int("j", max(1, runtime.NumCPU()/2), "how many are tried at once")
	limit := flag.Duration("timeout", 2*time.Minute, "how long the tests of one may take, besides building them")
	budget := flag.Duration("budget", time.Hour, "how long all may take: what is not tried by then is said")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *budget)
	defer cancel()
	all, err := read(".")
	if err == nil {
		r := runner{root: filepath.Join("..", ".."), out: os.Stdout, jobs: *jobs, limit: *limit}
		err = r.run(ctx, chosen(all, *only))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
