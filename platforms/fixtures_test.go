package platforms

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fixtureFile is one body, as its platform documents it, of invented people: testdata/<platform>/<name>.json.
type fixtureFile struct{ name, body string }

// fixtureFolders are the platforms that have fixtures.
func fixtureFolders(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, entry := range entries {
		if _, ok := Dialects[entry.Name()]; ok && entry.IsDir() {
			platforms = append(platforms, entry.Name())
		}
	}
	return platforms
}

// fixturesOf returns a platform's fixtures by name.
func fixturesOf(t testing.TB, platform string) []fixtureFile {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", platform, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no fixtures (%v)", platform, err)
	}
	var fixtures []fixtureFile
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fixtures = append(fixtures, fixtureFile{filepath.Base(file), string(body)})
	}
	return fixtures
}

// The marks of each fixture, as golden files.
func TestFixtureFolders(t *testing.T) {
	t.Parallel()
	for _, platform := range fixtureFolders(t) {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			s := subjects[platform]
			var golden bytes.Buffer
			for _, f := range fixturesOf(t, platform) {
				d, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, f.body))
				if err != nil {
					t.Fatalf("%s: %v", f.name, err)
				}
				golden.WriteString(f.name + "\n")
				for _, e := range d.Events {
					golden.WriteString("  " + string(mustJSON(e)) + "\n")
				}
				if d.Unsupported > 0 {
					golden.WriteString("  unsupported\n")
				}
			}
			path := filepath.Join("testdata", platform, "marks.golden")
			if *update {
				if err := os.WriteFile(path, golden.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), golden.String()); diff != "" {
				t.Errorf("marks (-want +got):\n%s", diff)
			}
		})
	}
}
