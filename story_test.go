package jauge_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goFile matches a file of Go as comments and documents name it.
var goFile = regexp.MustCompile(`\b[a-z][a-z0-9_]*\.go\b`)

// TestStoriesAreTrue: the comment of a package of more than two files names each of them but the one where it stands, and no file that
// is not there.
func TestStoriesAreTrue(t *testing.T) {
	t.Parallel()
	packages := map[string][]string{}
	tree := os.DirFS(".")
	err := fs.WalkDir(tree, ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && !nested(tree, name) {
			packages[path.Dir(name)] = append(packages[path.Dir(name)], path.Base(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, files := range packages {
		if len(files) <= 2 {
			continue
		}
		where, told := story(t, dir, files)
		for _, file := range files {
			if name := strings.TrimSuffix(file, ".go"); file != where && !regexp.MustCompile(`\b`+name+`\b`).MatchString(told) {
				t.Errorf("%s: the story of the package leaves out %s", dir, file)
			}
		}
		for _, file := range goFile.FindAllString(told, -1) {
			if !slices.Contains(files, file) {
				t.Errorf("%s: the story of the package tells of %s, which is not there", dir, file)
			}
		}
	}
}

// story is the comment of a package, and the file in which it stands.
func story(t *testing.T, dir string, files []string) (where, told string) {
	t.Helper()
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path.Join(dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc != nil {
			where, told = name, told+file.Doc.Text()
		}
	}
	return where, told
}

// inDocs matches a path of this repository as documents name it: in a link, or in backticks.
var inDocs = regexp.MustCompile("`((?:[a-z][a-z0-9_]*/)+[a-z0-9_]+\\.(?:go|lua|html|css|yaml|md))`|\\]\\(([^)#:]+)\\)")

// TestDocumentsNameWhatIsThere: a path in a document leads somewhere.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	documents, err := fs.Glob(os.DirFS("."), "docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := fs.Glob(os.DirFS("."), "docs/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range slices.Concat(documents, more, []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range inDocs.FindAllStringSubmatch(string(text), -1) {
			name := match[1]
			if name == "" {
				name = path.Join(path.Dir(document), match[2])
			}
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s names %s, which is not there", document, name)
			}
		}
	}
}
