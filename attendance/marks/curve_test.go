package marks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// Of reads that began together, the one that is answered last neither counts twice what the others have read nor takes it back.
func TestReadsThatOvertakeEachOther(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := New(rdb, prefix)
		join := func(i int) Mark {
			return Mark{Kind: Joined, Room: "room", Occurrence: "one", Person: fmt.Sprint("p", i), Connection: fmt.Sprint("c", i), At: plannedStart + int64(i)*1000}
		}
		read := func(asked position) []any {
			t.Helper()
			keys := []string{s.keys.Counts("talk"), s.keys.Log("talk"), s.keys.Occurrences("talk"), s.keys.Declared("talk")}
			reply, err := readScript.Run(t.Context(), rdb, keys, asked.epoch, asked.rev, asked.read).Slice()
			if err != nil {
				t.Fatal(err)
			}
			return reply
		}
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
			for known := range 2 { // with nothing read before, and with something
				rdb.Del(t.Context(), s.keys.Session("talk")...)
				line, replies := &timeline{}, make([][]any, 3)
				if known > 0 {
					write(t, s, "talk", join(0))
					if _, err := line.advance(read(position{}), position{}); err != nil {
						t.Fatal(err)
					}
				}
				asked := line.position()
				for i := range replies {
					write(t, s, "talk", join(i+1))
					replies[i] = read(asked)
				}
				var got Moment
				for _, i := range order {
					var err error
					if got, err = line.advance(replies[i], asked); err != nil {
						t.Fatal(err)
					}
				}
				want, err := New(rdb, prefix).Look(t.Context(), "talk")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want[0].Moment, got); diff != "" {
					t.Errorf("in order %v, %d known:\n%s", order, known, diff)
				}
			}
		}
	})
}

// A store that has lost what was read of it shows nothing, and then what it gets.
func TestWhatWasLostIsNotShown(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := New(rdb, prefix)
		for range 2 {
			stay := Mark{Kind: Joined, Room: "room", Occurrence: "one", Person: "ann", Connection: "c1", At: plannedStart}
			write(t, s, "talk", stay)
			agrees(t, s, "talk", stay)
			rdb.Del(t.Context(), s.keys.Session("talk")...)
			agrees(t, s, "talk")
		}
	})
}

// Verify names the start of an opening that is another one than the marks say.
func TestVerifyNamesAStart(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Embedded()
	s := New(rdb, prefix)
	mark := func(kind Kind, second int64) Mark {
		return Mark{Kind: kind, Room: "room", Occurrence: "any/", At: plannedStart + second*1000}
	}
	write(t, s, "talk", mark(Started, 0), mark(Ended, 10), mark(Started, 20))
	key, second := s.keys.Occurrences("talk"), fmt.Sprint(plannedStart+20_000, ",")
	text := rdb.HGet(t.Context(), key, "any/").Val()
	spoilt := strings.Replace(text, "|2,"+second, fmt.Sprint("|2,", plannedStart+21_000, ","), 1)
	if spoilt == text {
		t.Fatal(text)
	}
	rdb.HSet(t.Context(), key, "any/", spoilt)
	drifts, err := s.Verify(t.Context(), "talk", 0)
	if err != nil || !strings.Contains(fmt.Sprint(drifts), "start of opening 2") {
		t.Errorf("%v %v", drifts, err)
	}
}
