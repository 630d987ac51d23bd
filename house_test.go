// Package jauge_test holds the rules of the house: which package may import which, and what no file may say.
package jauge_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "jauge"

// rooms lists the folders of the house and what of ours each may import. A name opens its whole folder; a folder without an entry
// of its own belongs to the nearest one above it that has. Imports run one way, from cmd down to internal, so that a domain can be read and
// tested without what is above it.
var rooms = map[string][]string{
	".":                 nil,
	"cmd":               {"attendance", "dashboards", "examples", "feedback", "handlers", "inbox", "internal", "metrics", "platforms", "programme", "simulator"},
	"handlers":          {"attendance", "feedback", "handlers", "inbox", "internal", "platforms", "programme"}, // routes and middleware
	"handlers/attend":   {"attendance", "feedback", "handlers/door", "handlers/lookup", "handlers/page", "internal", "programme"},
	"handlers/organise": {"attendance", "feedback", "handlers/door", "handlers/lookup", "handlers/page", "inbox", "internal", "programme"},
	"handlers/api":      {"attendance", "feedback", "handlers/door", "handlers/lookup", "handlers/page", "inbox", "internal", "programme"},
	"handlers/hooks":    {"attendance", "feedback", "handlers/door", "inbox", "internal", "platforms"},
	"handlers/page":     {"attendance", "feedback", "handlers/door", "internal", "programme"},
	"handlers/lookup":   {"attendance", "feedback", "handlers/door", "internal", "programme"},
	"handlers/door":     {"internal"},
	"metrics":           {"attendance", "feedback", "internal", "programme"},
	"simulator":         {"attendance", "feedback/survey", "internal", "platforms", "programme"},
	"inbox":             {"attendance", "feedback", "internal", "platforms", "programme"},
	"platforms":         {"attendance", "internal", "platforms/scan"},
	"platforms/scan":    nil,
	"feedback":          {"feedback", "internal", "programme"}, // not attendance: an answer knows nobody's presence
	"feedback/figures":  {"feedback/survey", "internal"},
	"feedback/receipt":  nil,
	"feedback/survey":   {"internal"},
	"attendance":        {"attendance/marks", "internal", "programme"}, // not feedback
	"attendance/marks":  nil,                                           // neither plans nor platforms: hashes and times alone
	"programme":         {"internal"},
	"internal":          {"internal"}, // helpers with nothing of ours to import
	"dashboards":        nil,
	"examples":          nil,
}

// pure are the folders whose functions depend on what they are given alone: they know no store and no clock.
var pure = []string{"feedback/figures", "feedback/survey", "platforms/scan"}

// impure matches what a pure file has no use for.
var impure = regexp.MustCompile(`time[.]Now\b|go-redis`)

// guests are what only the tests of a room may import: they try it with what stands above it.
var guests = map[string][]string{
	"attendance/marks": {"internal/redistest"},
	"feedback/survey":  {"feedback/figures"},
	"platforms":        {"programme"},
	"simulator":        {"programme"},
}

// fences keep a library where it is owned. Paths match whole or up to a slash.
var fences = []struct {
	library string
	rooms   []string // the folders that may import it
	tests   bool     // whether every test may
}{
	{"github.com/gin-gonic/gin", []string{"handlers"}, false},
	{"github.com/gin-contrib", []string{"handlers"}, false},
	{"github.com/xuri/excelize", []string{"handlers"}, false},
	{"github.com/redis/go-redis", []string{"attendance", "feedback", "programme", "cmd", "internal/embedded", "internal/redistest"}, true},
	{"github.com/alicebob/miniredis", []string{"internal/embedded"}, false},
	{"github.com/prometheus/client_golang", []string{"metrics", "cmd"}, false},
	{"github.com/grafana/grafana-foundation-sdk", []string{"dashboards"}, false},
	{"github.com/KimMachineGun/automemlimit", []string{"cmd"}, false},
	{"net/http", []string{"cmd", "handlers", "metrics", "platforms", "simulator", "internal"}, false}, // the domains know no HTTP
	{module + "/internal/redistest", []string{"internal/redistest"}, true},
}

// A package is a room that a reader can keep in mind.
const (
	mostFiles   = 25   // of a package, without its tests
	mostLines   = 3500 // the same
	mostMethods = 40   // of one type
)

// elsewhere matches what only means something on the machine or to the people who wrote it. The brackets keep the
// expression from matching itself.
var elsewhere = regexp.MustCompile(`/w[o]rk/(main|shared|steering|\.)|/r[o]ot/|/f[a]rm/in|bash_j[o]bs|proxy[.]gol|registry[.]npm|deb[.]debian|` +
	`shared/(desi[g]n|contrac[t]|measure[s]|platform[s]|librarie[s]|loo[k]|model[s])[.]md`)

func TestHouse(t *testing.T) {
	t.Parallel()
	problems, files, err := inspect(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("only %d files were read: is this the root of the module?", files)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// TestRoomsAreSmall counts what is in each package, and prints the largest.
func TestRoomsAreSmall(t *testing.T) {
	t.Parallel()
	sizes := map[string]*size{}
	tree := os.DirFS(".")
	err := fs.WalkDir(tree, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || nested(tree, name) {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if sizes[dir] == nil {
			sizes[dir] = &size{methods: map[string]int{}}
		}
		return sizes[dir].add(name, content)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range slices.Sorted(maps.Keys(sizes)) {
		s := sizes[dir]
		largest := s.largest()
		t.Logf("%-18s %2d files %5d lines, most methods: %s %d", dir, s.files, s.lines, largest, s.methods[largest])
		if s.files > mostFiles || s.lines > mostLines || s.methods[largest] > mostMethods {
			t.Errorf("%s is too large a room: at most %d files, %d lines, %d methods of one type", dir, mostFiles, mostLines, mostMethods)
		}
	}
}

// size is how much there is in a package, without its tests.
type size struct {
	files, lines int
	methods      map[string]int // by type
}

func (s *size) add(name string, content []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s.files++
	s.lines += bytes.Count(content, []byte("\n"))
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil {
			continue
		}
		of := f.Recv.List[0].Type
		if pointer, ok := of.(*ast.StarExpr); ok {
			of = pointer.X
		}
		switch generic := of.(type) {
		case *ast.IndexExpr:
			of = generic.X
		case *ast.IndexListExpr:
			of = generic.X
		}
		s.methods[of.(*ast.Ident).Name]++
	}
	return nil
}

// largest is the type with the most methods.
func (s *size) largest() (name string) {
	for of, n := range s.methods {
		if n > s.methods[name] || n == s.methods[name] && of < name {
			name = of
		}
	}
	return name
}

// inspect reads every file of tree and returns what breaks a rule, and the number of files read.
func inspect(tree fs.FS) (problems []string, files int, err error) {
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == ".git" || name == "bin" || name == "data" || d.Name() == "node_modules" {
				return fs.SkipDir // what make and the service write, see .gitignore
			}
			return nil
		}
		if name == ".git" { // a file in a worktree
			return nil
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		files++
		if bytes.IndexByte(content, 0) < 0 {
			problems = append(problems, checkText(name, content)...)
		}
		if path.Ext(name) == ".go" && !nested(tree, name) {
			found, err := checkImports(name, content)
			if err != nil {
				return err
			}
			problems = append(problems, found...)
		}
		return nil
	})
	return problems, files, err
}

// nested says whether a file belongs to a module of its own (the tools, the browser tests), which has its own rules.
func nested(tree fs.FS, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, err := fs.Stat(tree, path.Join(dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

func checkText(name string, content []byte) (problems []string) {
	isPure := path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && slices.Contains(pure, path.Dir(name))
	number := 0
	for line := range bytes.Lines(content) {
		number++
		if match := elsewhere.Find(line); match != nil {
			problems = append(problems, fmt.Sprintf("%s:%d: %q means nothing to a reader of this repository", name, number, match))
		}
		if match := impure.Find(line); match != nil && isPure {
			problems = append(problems, fmt.Sprintf("%s:%d: %s is pure, and has no use for %q", name, number, path.Dir(name), match))
		}
	}
	return problems
}

func checkImports(name string, content []byte) (problems []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	room := roomOf(path.Dir(name))
	if room == "" {
		return []string{fmt.Sprintf("%s: the folder %s has no place in the house: give it one in house_test.go", name, path.Dir(name))}, nil
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
			allowed := rooms[room]
			if strings.HasSuffix(name, "_test.go") {
				allowed = slices.Concat(allowed, guests[room])
			}
			if roomOf(ours) != room && !slices.ContainsFunc(allowed, func(open string) bool { return within(ours, open) }) {
				problems = append(problems, fmt.Sprintf("%s: %s may not import %s", name, room, ours))
			}
		}
		for _, fence := range fences {
			if !within(imported, fence.library) || fence.tests && strings.HasSuffix(name, "_test.go") ||
				slices.ContainsFunc(fence.rooms, func(room string) bool { return room == path.Dir(name) || within(path.Dir(name), room) }) {
				continue
			}
			problems = append(problems, fmt.Sprintf("%s: %s is for %s only", name, fence.library, strings.Join(fence.rooms, ", ")))
		}
	}
	return problems, nil
}

// roomOf is the folder of the house that a folder belongs to, empty if it has no place in it.
func roomOf(folder string) string {
	for at := folder; at != "." || folder == "."; at = path.Dir(at) {
		if _, ok := rooms[at]; ok {
			return at
		}
	}
	return ""
}

// within says whether name is folder or lies in it.
func within(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

func TestRulesAreHeld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, content, want string }{
		{"cmd may use everything", "cmd/jauge/a.go", `import ("jauge/handlers"; "jauge/metrics"; "github.com/redis/go-redis/v9")`, ""},
		{"a domain uses Redis", "feedback/a.go", `import "github.com/redis/go-redis/v9"`, ""},
		{"any test uses Redis", "handlers/a_test.go", `import ("github.com/redis/go-redis/v9"; "jauge/internal/redistest")`, ""},
		{"a package of the same folder", "internal/journal/a.go", `import "jauge/internal/text"`, ""},
		{"a library with a longer name", "platforms/a.go", `import "github.com/gin-gonic/ginx"`, ""},
		{"a worktree's .git", ".git", "gitdir: /r" + "oot/jauge/.git\n", ""},
		{"a nested module has its own rules", "e2e/a_test.go", `import "github.com/gin-gonic/gin"`, ""},

		{"feedback → attendance", "feedback/a.go", `import "jauge/attendance"`, "feedback/a.go: feedback may not import attendance"},
		{"attendance → feedback", "attendance/a_test.go", `import "jauge/feedback"`, "attendance/a_test.go: attendance may not import feedback"},
		{"domain → above", "attendance/a.go", `import "jauge/handlers"`, "attendance/a.go: attendance may not import handlers"},
		{"handlers → cmd", "handlers/a.go", `import "jauge/cmd/jauge"`, "handlers/a.go: handlers may not import cmd/jauge"},
		{"handlers → metrics", "handlers/a.go", `import "jauge/metrics"`, "handlers/a.go: handlers may not import metrics"},
		{"platforms → handlers", "platforms/a.go", `import "jauge/handlers"`, "platforms/a.go: platforms may not import handlers"},
		{"platforms → feedback", "platforms/a.go", `import "jauge/feedback"`, "platforms/a.go: platforms may not import feedback"},
		{"internal → ours", "internal/text/a.go", `import "jauge/attendance"`, "internal/text/a.go: internal may not import attendance"},
		{"survey → figures", "feedback/survey/a.go", `import "jauge/feedback/figures"`, "feedback/survey/a.go: feedback/survey may not import feedback/figures"},
		{"figures → survey", "feedback/figures/a.go", `import "jauge/feedback/survey"`, ""},
		{"one audience → another", "handlers/attend/a.go", `import "jauge/handlers/api"`, "handlers/attend/a.go: handlers/attend may not import handlers/api"},
		{"a guest", "platforms/a_test.go", `import "jauge/programme"`, ""},
		{"a guest who stays", "platforms/a.go", `import "jauge/programme"`, "platforms/a.go: platforms may not import programme"},
		{"a clock in what is pure", "feedback/survey/a.go", `import "time"; var now = time.` + `Now`, `feedback/survey/a.go:2: feedback/survey is pure, and has no use for "time.` + `Now"`},
		{"Gin in a domain", "attendance/a.go", `import "github.com/gin-gonic/gin"`, "attendance/a.go: github.com/gin-gonic/gin is for handlers only"},
		{"Gin in a test", "cmd/jauge/a_test.go", `import "github.com/gin-gonic/gin/render"`, "cmd/jauge/a_test.go: github.com/gin-gonic/gin is for handlers only"},
		{
			"Redis in handlers", "handlers/a.go", `import "github.com/redis/go-redis/v9"`,
			"handlers/a.go: github.com/redis/go-redis is for attendance, feedback, programme, cmd, internal/embedded, internal/redistest only",
		},
		{
			"Redis elsewhere in internal", "internal/journal/a.go", `import "github.com/redis/go-redis/v9"`,
			"internal/journal/a.go: github.com/redis/go-redis is for attendance, feedback, programme, cmd, internal/embedded, internal/redistest only",
		},
		{
			"Prometheus in handlers", "handlers/a.go", `import "github.com/prometheus/client_golang/prometheus"`,
			"handlers/a.go: github.com/prometheus/client_golang is for metrics, cmd only",
		},
		{
			"HTTP in a domain", "feedback/a.go", `import "net/http"`,
			"feedback/a.go: net/http is for cmd, handlers, metrics, platforms, simulator, internal only",
		},
		{
			"test stores in the service", "cmd/jauge/a.go", `import "jauge/internal/redistest"`,
			"cmd/jauge/a.go: jauge/internal/redistest is for internal/redistest only",
		},
		{
			"a folder nobody knows", "util/a.go", "",
			"util/a.go: the folder util has no place in the house: give it one in house_test.go",
		},
		{
			"a path of a machine", "README.md", "first\nsee /r" + "oot/jauge\n",
			`README.md:2: "/ro` + `ot/" means nothing to a reader of this repository`,
		},
		{
			"a machine's path in a nested module", "e2e/a.md", "shared/desi" + "gn.md",
			`e2e/a.md:1: "shared/desi` + `gn.md" means nothing to a reader of this repository`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content := tt.content
			if path.Ext(tt.file) == ".go" {
				content = "package a\n" + content
			}
			tree := fstest.MapFS{tt.file: {Data: []byte(content)}, "e2e/go.mod": {Data: []byte("module jauge/e2e\n")}}
			problems, _, err := inspect(tree)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.Join(problems, "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
