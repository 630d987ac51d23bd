package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.etcd.io/bbolt"

	"jauge/attendance"
	"jauge/internal/redistest"
)

// writeFormat sets the format of a store as another program would.
func writeFormat(t *testing.T, rdb redis.UniversalClient, format string) {
	t.Helper()
	if err := rdb.Set(t.Context(), keyPrefix+"schema", format, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// content is every key of a store with its value, but for the one that each probe writes.
func content(t *testing.T, rdb redis.UniversalClient) map[string][]string {
	t.Helper()
	all := dumped(t, rdb)
	delete(all, keyPrefix+"probe")
	return all
}

// Nothing starts on, reads or changes what a newer version wrote; the message says what it is and what to do.
func TestANewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		server, p := onRedis(t)
		p.send(attendance.Joined, "ann", time.Now())
		p.kill()
		rdb := server.Client()
		defer rdb.Close() //nolint:errcheck // nothing is pending
		for _, format := range []string{"3", "0", "two"} {
			writeFormat(t, rdb, format)
			before := content(t, rdb)
			want := `jauge: the data in Redis has format "` + format + `", and jauge dev knows formats up to 2: start the version that wrote it or a newer one` + "\n"
			for _, command := range [][]string{{"serve"}, {"verify"}, {"verify", "--repair"}} {
				if code, _, text := p.command(command...); code != exitFailed || !strings.HasSuffix(text, want) {
					t.Errorf("%v: %d %s", command, code, text)
				}
			}
			if diff := cmp.Diff(before, content(t, rdb)); diff != "" {
				t.Errorf("something was written:\n%s", diff)
			}
		}
		writeFormat(t, rdb, "2")
		p.restart()
		if n := p.attendance("talk")["unique"]; n != 1.0 {
			t.Errorf("%v came", n)
		}
	})
	t.Run("journal", func(t *testing.T) {
		t.Parallel()
		p := start(t, todaysTalk())
		p.send(attendance.Joined, "ann", time.Now())
		p.kill()
		path := filepath.Join(dataDirOf(t, p), "journal.db")
		format := func(text string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err == nil {
				err = errors.Join(db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte(text)) }), db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		format("3")
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := "jauge: journal: " + path + ` has format "3", and formats up to 2 are known: start the version of jauge that wrote it or a newer one` + "\n"
		for _, command := range [][]string{{"serve"}, {"verify"}, {"journal", "list"}, {"journal", "retry"}, {"journal", "drop", "--all"}} {
			if code, _, text := p.command(command...); code != exitFailed || !strings.HasSuffix(text, want) {
				t.Errorf("%v: %d %s", command, code, text)
			}
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the journal was changed (%v)", err)
		}
		format("2")
		p.restart()
		if n := p.attendance("talk")["unique"]; n != 1.0 {
			t.Errorf("%v came", n)
		}
	})
}

// What was stored before there was a format is of the first, and says so from then on.
func TestDataWithoutAFormatIsOfTheFirst(t *testing.T) {
	t.Parallel()
	server, p := onRedis(t)
	p.send(attendance.Joined, "ann", time.Now())
	p.kill()
	rdb := server.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	if err := rdb.Del(t.Context(), "jauge:schema").Err(); err != nil {
		t.Fatal(err)
	}
	if code, _, text := p.command("verify"); code != exitFailed || !strings.Contains(text, "start jauge serve once") || rdb.Exists(t.Context(), "jauge:schema").Val() != 0 {
		t.Errorf("verify: %d %s", code, text)
	}
	p.restart()
	if format := rdb.Get(t.Context(), "jauge:schema").Val(); format != "2" || p.attendance("talk")["unique"] != 1.0 {
		t.Errorf("format %q, %v", format, p.attendance("talk"))
	}
}

// A Redis that was away at the start, or that another version has migrated meanwhile, is looked at before anything is read or written there:
// all is kept, people are told why, and it counts once the data is ours again.
func TestARedisOfANewerFormatIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(server *redistest.Server, p *program, newer func()){
		"away at the start": func(server *redistest.Server, p *program, newer func()) {
			p.kill()
			newer()
			server.Pause()
			p.launch()
			p.send(attendance.Joined, "first", time.Now())
			server.Resume()
		},
		"migrated meanwhile": func(_ *redistest.Server, p *program, newer func()) {
			newer()
			p.why("schema")
			p.send(attendance.Joined, "first", time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, p := onRedis(t)
			rdb := server.Client()
			defer rdb.Close() //nolint:errcheck // nothing is pending
			p.send(attendance.Joined, "before", time.Now())
			var before map[string][]string
			begin(server, p, func() {
				writeFormat(t, rdb, "3")
				before = content(t, rdb)
			})
			p.keepsEverything("schema")
			if _, text := p.do(http.MethodGet, "/readyz", http.Header{}, nil); !strings.Contains(string(text), `has format \"3\"`) {
				t.Errorf("/readyz: %s", text)
			}
			if code, _ := p.do(http.MethodGet, "/api/v1/sessions/talk/curve", http.Header{"Authorization": {"Bearer " + token}}, nil); code != http.StatusServiceUnavailable {
				t.Errorf("it is read: %d", code)
			}
			if diff := cmp.Diff(before, content(t, rdb)); diff != "" {
				t.Errorf("something was written:\n%s", diff)
			}
			writeFormat(t, rdb, "2")
			p.countsEverything(meanwhile+2, 2)
		})
	}
}

// why waits until the service says why it does not use its store.
func (p *program) why(why string) {
	p.t.Helper()
	await(p.t, "jauge_redis_trouble to say "+why, func() bool { return p.troubles() == `why="`+why+`"} 1` })
}

// The log says once that a store is not used, with both formats, and once that it is again.
func TestTheLogSaysWhyAStoreIsNotUsed(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	rdb := server.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	s := &stores{guard: newGuard(keyPrefix, []byte(key))}
	s.rdb = hooked(server.Client(), s.guard)
	defer s.close()
	var log bytes.Buffer
	watch := watcher{stores: s, log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, step := range []struct{ format, want string }{
		{"2", ""},
		{"3", `level=ERROR msg="Redis is not used: events and answers go to the journal until it is" why=schema error="the data in Redis has format \"3\"`},
		{"3", ""},
		{"2", `level=INFO msg="Redis is there"`},
	} {
		writeFormat(t, rdb, step.format)
		log.Reset()
		watch.looked = time.Time{}
		if watch.look(t.Context()); !strings.Contains(log.String(), step.want) || step.want == "" && log.Len() > 0 {
			t.Errorf("format %s: %q", step.format, &log)
		}
	}
}

// Of replicas that start together on an empty store, one decides, and all read the same.
func TestReplicasThatStartTogetherAgree(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		const replicas = 16
		guards := make([]*guard, replicas)
		errs := make([]error, replicas)
		var all sync.WaitGroup
		for i := range replicas {
			guards[i] = newGuard(prefix, []byte{byte(i)}) // each with a key of its own
			all.Go(func() { errs[i] = guards[i].examine(t.Context(), rdb.Process) })
		}
		all.Wait()
		kept, admitted := rdb.Get(t.Context(), prefix+"fingerprint").Val(), 0
		for i, err := range errs {
			switch {
			case err == nil && guards[i].fingerprint == kept:
				admitted++
			case !errors.Is(err, errOtherKey):
				t.Errorf("replica %d: %v", i, err)
			}
		}
		if format := rdb.Get(t.Context(), prefix+"schema").Val(); admitted != 1 || format != "2" {
			t.Errorf("%d were admitted, format %q", admitted, format)
		}
	})
}

// Every command fails, alone, in a pipeline, in a transaction and in a script, and none reaches the store.
func TestTheGuardLetsNothingThrough(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	rdb := server.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	writeFormat(t, rdb, "3")
	guarded := hooked(server.Client(), newGuard(keyPrefix, []byte(key)))
	defer guarded.Close() //nolint:errcheck // nothing is pending
	ctx := t.Context()
	refused := func(how string, err error) {
		t.Helper()
		if !isUnfit(err) || !away(err) {
			t.Errorf("%s: %v", how, err)
		}
	}
	refused("a command", guarded.Set(ctx, "a", 1, 0).Err())
	refused("a script", redis.NewScript(`return redis.call("SET", KEYS[1], 1)`).Run(ctx, guarded, []string{"a"}).Err())
	for how, pipelined := range map[string]func(func(redis.Pipeliner) error) ([]redis.Cmder, error){
		"a pipeline":    func(f func(redis.Pipeliner) error) ([]redis.Cmder, error) { return guarded.Pipelined(ctx, f) },
		"a transaction": func(f func(redis.Pipeliner) error) ([]redis.Cmder, error) { return guarded.TxPipelined(ctx, f) },
	} {
		cmds, err := pipelined(func(p redis.Pipeliner) error {
			p.Set(ctx, "a", 1, 0)
			p.Get(ctx, "a")
			return nil
		})
		refused(how, err)
		for _, cmd := range cmds {
			refused("of "+how, cmd.Err())
		}
	}
	if n := rdb.DBSize(ctx).Val(); n != 1 {
		t.Errorf("%d keys", n)
	}
}
