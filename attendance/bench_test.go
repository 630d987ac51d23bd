package attendance

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// BenchmarkRecord is one webinar's life, a join and a leave of each of 500 persons, in batches as webhooks of one burst, with the
// two words of their names.
func BenchmarkRecord(b *testing.B) {
	for _, store := range []struct {
		name  string
		start func() (redis.UniversalClient, string)
	}{{"redis", redistest.Redis}, {"embedded", redistest.Embedded}} {
		b.Run(store.name, func(b *testing.B) {
			rdb, prefix := store.start()
			s := New(rdb, Options{Prefix: prefix, Key: make([]byte, 32)})
			const people = 500
			events := 0
			for i := 0; b.Loop(); i++ {
				session := fmt.Sprintf("s%d", i)
				batch := make([]placed, 0, 2*people)
				for _, kind := range []Kind{Joined, Left} {
					for p := range people {
						at := plannedStart + int64(p)*137
						if kind == Left {
							at += 1_800_000
						}
						batch = append(batch, placed{session, sealed{
							Kind: kind, Room: "r", Occurrence: "o", At: at,
							Person: fmt.Sprintf("person%d", p), Connection: fmt.Sprintf("connection%d", p),
							Names: []string{fmt.Sprintf("first%03d", p%300), fmt.Sprintf("last%d", p)},
						}})
					}
				}
				if _, err := s.write(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				events += len(batch)
				rdb.Del(b.Context(), append(s.keys.session(session), s.keys.names(session))...)
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
