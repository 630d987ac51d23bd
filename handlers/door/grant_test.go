package door

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// start is the moment of the tests.
var start = time.Date(2020, 4, 30, 18, 0, 0, 0, time.FixedZone("", 2*60*60))

// nothingVoid is a Voided in which nobody has logged out.
type nothingVoid struct{ Voided }

func (nothingVoid) Has(string) bool { return false }

func keeper(token, key string) *Keeper {
	return &Keeper{Token: token, Key: []byte(key), Public: &url.URL{}, Voided: nothingVoid{}, Wall: func() time.Time { return start }}
}

// Whatever the id of a session is, a grant to it is read as one to it and to nothing else.
func FuzzGrant(f *testing.F) {
	for _, session := range []string{"metier", "organiser", "session", "", ".", "a.b", "organiser.AAAA.1588869000", "é\x00\n=", strings.Repeat("x", 70)} {
		f.Add(session, "session.ID.1588869000."+session)
	}
	f.Add("", "organiser.ID.1588869000")
	f.Add("", "organiser.ID.1588869000.")
	f.Add("", "organiser.ID.+1588869000")
	f.Add("", "organiser..1588869000")
	f.Add("", "organiser.ID.99999999999999999999")
	f.Add("", "session.ID.0.bWV0aWVy\n")
	f.Fuzz(func(t *testing.T, session, payload string) {
		g := newGrant(opensSession, session, start)
		read, ok := readGrant(g.payload())
		if !ok || read.kind != opensSession || read.session != session || read.id != g.id || !read.until.Equal(g.until) {
			t.Errorf("%q is read as %+v", g.payload(), read)
		}
		if read.opens(Organiser, session) || !read.opens(Viewer, session) || read.opens(Viewer, session+"x") {
			t.Errorf("%q opens too much or nothing", g.payload())
		}
		if g, ok := readGrant(payload); ok && (g.payload() != payload || g.id == "" || g.kind != opensAll && g.kind != opensSession || g.kind == opensAll && g.session != "") {
			t.Errorf("%q is read as %+v", payload, g)
		}
	})
}

// What is signed is all of it: one character more, less or other, and nothing opens; neither does another kind under the same signature.
func TestForgedGrants(t *testing.T) {
	t.Parallel()
	token, key := "organiser-token", strings.Repeat("k", 32)
	s := keeper(token, key)
	until := start.Add(time.Hour)
	for _, g := range []grant{newGrant(opensAll, "", until), newGrant(opensSession, "organiser", until), newGrant(opensSession, "metier", until)} {
		sealed := s.seal(g)
		if _, ok := s.unseal(sealed); !ok {
			t.Fatalf("%s is not genuine", sealed)
		}
		for i := range sealed {
			for _, forged := range []string{sealed[:i] + sealed[i+1:], sealed[:i] + "A" + sealed[i:], sealed[:i] + "." + sealed[i+1:], sealed[:i]} {
				if _, ok := s.unseal(forged); ok && forged != sealed {
					t.Errorf("%s is as good as %s", forged, sealed)
				}
			}
		}
		for _, k := range []kind{opensAll, opensSession} {
			if forged := string(k) + strings.TrimPrefix(sealed, string(g.kind)); forged != sealed {
				if _, ok := s.unseal(forged); ok {
					t.Errorf("%s is as good as %s", forged, sealed)
				}
			}
		}
	}
	for _, other := range []*Keeper{keeper("another", key), keeper(token, strings.Repeat("x", 32))} {
		if _, ok := s.unseal(other.seal(newGrant(opensAll, "", until))); ok {
			t.Error("what was signed with another token or key opens")
		}
	}
}
