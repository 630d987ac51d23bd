package attendance

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance/marks"
	"jauge/internal/redistest"
)

// onBoth runs a benchmark on both stores.
func onBoth(b *testing.B, run func(b *testing.B, rdb redis.UniversalClient, prefix string)) {
	for name, start := range map[string]func() (redis.UniversalClient, string){"redis": redistest.Redis, "embedded": redistest.Embedded} {
		b.Run(name, func(b *testing.B) {
			rdb, prefix := start()
			run(b, rdb, prefix)
		})
	}
}

// BenchmarkRecord is one webinar's life, a join and a leave of each of 500 persons, in batches as webhooks of one burst, with the
// two words of their names.
func BenchmarkRecord(b *testing.B) {
	onBoth(b, func(b *testing.B, rdb redis.UniversalClient, prefix string) {
		s := opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32)})
		const people = 500
		events := 0
		for i := 0; b.Loop(); i++ {
			session := fmt.Sprintf("s%d", i)
			batch := make([]marks.Placed, 0, 2*people)
			for _, kind := range []Kind{Joined, Left} {
				for p := range people {
					at := plannedStart + int64(p)*137
					if kind == Left {
						at += 1_800_000
					}
					batch = append(batch, marks.Placed{Session: session, Mark: marks.Mark{
						Kind: kind, Room: "r", Occurrence: "o", At: at, Person: fmt.Sprintf("person%d", p), Connection: fmt.Sprintf("connection%d", p),
					}, Names: []string{fmt.Sprintf("first%03d", p%300), fmt.Sprintf("last%d", p)}})
				}
			}
			if _, err := s.marks.Write(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			events += len(batch)
			rdb.Del(b.Context(), append(s.marks.Keys().Session(session), s.marks.Keys().Names(session))...)
		}
		b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	})
}

// BenchmarkAside is what is done now and then beside as many events aside as one source may have.
func BenchmarkAside(b *testing.B) {
	onBoth(b, func(b *testing.B, rdb redis.UniversalClient, prefix string) {
		defer func() { rdb.Del(b.Context(), rdb.Keys(context.Background(), prefix+"*").Val()...) }()
		s := opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32)})
		batch := make([]Event, asidePerSource)
		for i := range batch {
			batch[i] = Event{Kind: Joined, Room: fmt.Sprint(i % asideRooms), Attendee: fmt.Sprint(i), Connection: fmt.Sprint(i), At: time.Now()}
		}
		for batch := range slices.Chunk(batch, 5000) {
			if _, err := s.Record(b.Context(), "flood", batch); err != nil {
				b.Fatal(err)
			}
		}
		late := Event{Kind: Joined, Room: "0", Attendee: "late", Connection: "late", At: time.Now()}
		for _, row := range []struct {
			name string
			do   func() (any, error)
		}{
			{"groups", func() (any, error) { return s.AsideGroups(b.Context()) }},
			{"counts", func() (any, error) { return s.AsideCounts(b.Context()) }},
			{"first 500", func() (any, error) { return s.AsideEvents(b.Context(), 500) }},
			{"reclaim nothing", func() (any, error) { return s.Reclaim(b.Context()) }},
			{"expire nothing", func() (any, error) { return s.ExpireAside(b.Context()) }},
			{"one event more", func() (any, error) { return s.Record(b.Context(), "quiet", []Event{late}) }},
			{"one event dropped", func() (any, error) { return s.Record(b.Context(), "flood", []Event{late}) }},
		} {
			b.Run(row.name, func(b *testing.B) {
				for b.Loop() {
					if _, err := row.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkRecordCallers is what many requests at once cost, each with the join or the leave of one person.
func BenchmarkRecordCallers(b *testing.B) {
	onBoth(b, func(b *testing.B, rdb redis.UniversalClient, prefix string) {
		for _, callers := range []int{1, 64, 512} {
			b.Run(fmt.Sprint(callers), func(b *testing.B) {
				s := opened(rdb, Options{Prefix: prefix + fmt.Sprint(callers), Key: make([]byte, 32)})
				now := time.Now()
				session := hourLong("s", in("live", "room"))
				session.StartsAt, session.EndsAt = now, now.Add(time.Hour)
				if err := define(b.Context(), s, session); err != nil {
					b.Fatal(err)
				}
				var next atomic.Int64
				b.SetParallelism(max(callers/runtime.GOMAXPROCS(0), 1))
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						n := next.Add(1)
						id := fmt.Sprint(n / 2)
						e := Event{Kind: Joined, Room: "room", Occurrence: "o", Attendee: id, Connection: id, At: now.Add(time.Duration(n) * time.Millisecond)}
						if n%2 == 1 {
							e.Kind, e.At = Left, e.At.Add(time.Minute)
						}
						if _, err := s.Record(b.Context(), "live", []Event{e}); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	})
}
