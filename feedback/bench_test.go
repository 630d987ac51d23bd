package feedback

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// BenchmarkAside reads as many deliveries as one source may have aside.
func BenchmarkAside(b *testing.B) {
	for _, store := range []struct {
		name  string
		start func() (redis.UniversalClient, string)
	}{{"redis", redistest.Redis}, {"embedded", redistest.Embedded}} {
		b.Run(store.name, func(b *testing.B) {
			rdb, prefix := store.start()
			s, err := New(rdb, Options{Prefix: prefix, Secret: secret})
			if err != nil {
				b.Fatal(err)
			}
			for i := range asidePerSource {
				d := filled(fmt.Sprint(i))
				d.Room = fmt.Sprint(i % 10)
				if _, err := s.Deliver(b.Context(), d, nil); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if all, err := s.Aside(b.Context()); err != nil || len(all) != asidePerSource {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}
