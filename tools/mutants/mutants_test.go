package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// module is one with a function and an embedded script, and tests that see a part of what they do.
var module = map[string]string{
	"go.mod":       "module m\n\ngo 1.26.0\n",
	"a/a.go":       "package a\n\nimport _ \"embed\"\n\n//go:embed s.lua\nvar Script string\n\nfunc Max(a, b int) int {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn b\n}\n",
	"a/s.lua":      "return 1\nreturn 2\n",
	"a/a_test.go":  "package a\n\nimport (\n\t\"strings\"\n\t\"testing\"\n)\n\nfunc TestMax(t *testing.T) {\n\tif Max(2, 1) != 2 {\n\t\tt.Fail()\n\t}\n}\n\nfunc TestScript(t *testing.T) {\n\tif !strings.HasPrefix(Script, \"return 1\") {\n\t\tt.Fail()\n\t}\n}\n",
	"b/b.go":       "package b\n",
	"c/c_test.go":  "package c\n\nimport \"testing\"\n\nfunc TestC(t *testing.T) { t.Fail() }\n",
	"lists/ok.txt": "",
}

const list = `# of a
file: a/a.go
test: ./a

mutant: the larger one
- a > b
+ a < b

mutant: of equals it does not matter which
- a > b
+ a >= b
equivalent: they are equal

mutant: the smaller one comes back
- 	return b
- }
+ 	return b
+ }
+ 

mutant: no program
- return a
+ return "a"

mutant: no such text
- c > d
+ c < d

mutant: twice there
- return
+ panic

mutant: wrongly called equivalent
- return a
+ return b
equivalent: it is not

file: a/s.lua
mutant: the script
- return 1
+ return 3
mutant: its end
- return 2
`

func write(t *testing.T, list string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range module {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".txt") {
			text = list
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMutants(t *testing.T) {
	root := write(t, list)
	all, err := read(filepath.Join(root, "lists"))
	if err != nil || len(all) != 9 {
		t.Fatalf("%d mutants (%v)", len(all), err)
	}
	var out strings.Builder
	r := runner{root: root, out: &out, jobs: 2, limit: time.Minute}
	if err := r.run(t.Context(), all); err == nil || err.Error() != "6 of 9 mutants are not as they should be" {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		"survivors: 2, 6 tried, 1 equivalent, 3 BROKEN, 1 KILLED\n",
		"  equivalent: of equals it does not matter which (a/a.go) they are equal\n",
		"  SURVIVED: the smaller one comes back (a/a.go) \n",
		"  BROKEN: no program (a/a.go) \n",
		"  BROKEN: no such text (a/a.go) \n",
		"a/a.go: the old text stands there 0 times, not once\n",
		"a/a.go: the old text stands there 2 times, not once\n",
		"  KILLED: wrongly called equivalent (a/a.go) it is not\n",
		"  SURVIVED: its end (a/s.lua) \n",
		"without a change: go test ./a: ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	for name, text := range module {
		if now, err := os.ReadFile(filepath.Join(root, name)); err != nil || name != "lists/ok.txt" && string(now) != text {
			t.Errorf("%s was changed (%v)", name, err)
		}
	}
	out.Reset()
	r.done = 0
	good := slices.DeleteFunc(all, func(m mutant) bool { return m.Name != "the larger one" && m.Name != "the script" })
	if err := r.run(t.Context(), good); err != nil || !strings.HasSuffix(out.String(), "survivors: none, 2 tried\n") {
		t.Errorf("%v\n%s", err, &out)
	}
}

func TestTheBaselineIsTestedFirst(t *testing.T) {
	root := write(t, "")
	for test, want := range map[string]string{"./b": "nothing is tested", "./a -run Nobody": "nothing is tested", "./c": "fail without a change"} {
		r := runner{root: root, out: &strings.Builder{}, jobs: 1, limit: time.Minute}
		err := r.run(t.Context(), []mutant{{Name: "any", File: "a/a.go", Test: strings.Fields(test), Old: "a > b", New: "a < b"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", test, err)
		}
	}
}

func TestMistakesInAListAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"file: a\ntest: ./a\n- a":                         `l.txt:3: "- a" says nothing here`,
		"file: a\ntest: ./a\nmutant: m\nequal: to all":    `l.txt:4: "equal: to all" says nothing here`,
		"file: a\nmutant: m\n- a\n+ b":                    `l.txt: "m" needs`,
		"file: a\ntest: ./a\nmutant: m\n- a\n+ a":         `l.txt: "m" needs`,
		"file: a\ntest: ./a\nmutant: m\n+ a":              `l.txt: "m" needs`,
		"file: a\ntest: ./a\nmutant: m\n- a\n# fine\n+ b": "",
	} {
		_, err := parse("l.txt", text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
