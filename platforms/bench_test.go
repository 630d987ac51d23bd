package platforms

import (
	"maps"
	"slices"
	"testing"
)

// BenchmarkVerify and BenchmarkDecode take one webhook of each platform.
func BenchmarkVerify(b *testing.B) {
	ofEach(b, func(d Dialect, s Source, r Request) error { return d.Verify(s, r) })
}

func BenchmarkDecode(b *testing.B) {
	ofEach(b, func(d Dialect, s Source, r Request) error {
		_, err := d.Decode(s, r)
		return err
	})
}

func ofEach(b *testing.B, do func(Dialect, Source, Request) error) {
	for _, platform := range slices.Sorted(maps.Keys(Dialects)) {
		b.Run(platform, func(b *testing.B) {
			s := subjects[platform]
			d, source, r := Dialects[platform], s.source(platform), signed(platform, s.secrets[0], now, s.body(s.good))
			b.ReportAllocs()
			for b.Loop() {
				if err := do(d, source, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
