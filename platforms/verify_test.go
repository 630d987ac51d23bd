package platforms

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"jauge/attendance"
)

// signatureOf says where a dialect's signature stands in a request, and which part of the header it is.
var signatureOf = map[string]struct{ header, prefix string }{
	"zoom":          {zoomSignature, "v0="},
	"livekit":       {"Authorization", ""},
	"standard":      {"webhook-signature", "v1,"},
	"formbricks":    {"webhook-signature", "v1,"},
	"bigbluebutton": {}, // in the query
	"jaas":          {jaasSignature, "v1="},
	"jitsi":         {"Authorization", "Bearer "},
	"daily":         {dailySignature, ""},
	"livestorm":     {livestormSignature, ","},
	"typeform":      {typeformSignature, "sha256="},
	"tally":         {tallySignature, ""},
}

// withSignature returns the request with another signature, made from its own.
func withSignature(t *testing.T, platform string, r Request, change func(string) string) Request {
	t.Helper()
	at, ok := signatureOf[platform]
	if !ok {
		t.Fatalf("%s: where does its signature stand?", platform)
	}
	r.Header = r.Header.Clone()
	if at.header == "" {
		r.Query = map[string][]string{"checksum": {change(r.Query.Get("checksum"))}}
		return r
	}
	before, signature, found := strings.Cut(r.Header.Get(at.header), at.prefix)
	if at.prefix == "" {
		before, signature, found = "", r.Header.Get(at.header), true
	}
	if !found {
		t.Fatalf("%s: no signature in %q", platform, r.Header.Get(at.header))
	}
	r.Header.Set(at.header, before+at.prefix+change(signature))
	return r
}

// Whatever a dialect looks like, these requests stay out, and those beside them come in.
func TestEveryDialectRefuses(t *testing.T) {
	t.Parallel()
	for platform, dialect := range Dialects {
		s := subjects[platform]
		with := func(secrets ...string) Source {
			source := s.source(platform)
			source.Secrets = secrets
			return source
		}
		sign := func(secret string, at time.Time) Request { return signed(platform, secret, at, s.body(s.good)) }
		good, both := sign(s.secrets[0], now), with(s.secrets[:]...)
		changed := func(change func(string) string) Request { return withSignature(t, platform, good, change) }
		type row struct {
			name    string
			source  Source
			request Request
			want    error // ErrMissing stands for that or ErrSignature: what is garbage to one is no signature to another
		}
		rows := []row{
			{"the first secret", both, good, nil},
			{"the second secret", both, sign(s.secrets[1], now), nil},
			{"the second secret alone", with(s.secrets[1]), sign(s.secrets[1], now), nil},
			{"a good secret beside bad ones", with("", s.foreign, s.secrets[0]), good, nil},
			{"no secret", with(), good, ErrSignature},
			{"an empty secret", with(""), good, ErrSignature},
			{"another secret", with(s.foreign), good, ErrSignature},
			{"a secret that is no longer one", with(s.secrets[1]), good, ErrSignature},
			{"no signature", both, Request{Method: http.MethodPost, Header: http.Header{}, Body: good.Body, Now: now}, ErrMissing},
			{"an empty signature", both, changed(func(string) string { return "" }), ErrMissing},
			{"a truncated signature", both, changed(func(s string) string { return s[:len(s)-2] }), ErrMissing},
			{"half a byte of a signature missing", both, changed(func(s string) string { return s[:len(s)-1] }), ErrMissing},
			{"half a byte too much", both, changed(func(s string) string { return s + "0" }), ErrMissing},
			{"two signatures in a row", both, changed(func(s string) string { return s + s }), ErrMissing},
			{"another letter in a signature", both, changed(func(s string) string { return swap(s, len(s)/2) }), ErrMissing},
			{"another first letter in a signature", both, changed(func(s string) string { return swap(s, 0) }), ErrMissing},
			{"garbage", both, changed(func(string) string { return "Ünsinn \x00%%" }), ErrMissing},
			{"garbage of the right length", both, changed(func(s string) string { return strings.Repeat("!", len(s)) }), ErrMissing},
		}
		if s.stale > 0 {
			rows = append(rows, row{"a stale time", both, sign(s.secrets[0], now.Add(-s.stale)), ErrStale}, row{"a future time", both, sign(s.secrets[0], now.Add(s.future)), ErrFuture})
		} else if !dialect.Scheme.Untimed {
			t.Errorf("%s: signs a time, and no test knows when it is stale", platform)
		}
		if !s.shown {
			for _, at := range []int{0, len(good.Body) / 2, len(good.Body) - 1} {
				other := good
				other.Body = []byte(swap(string(good.Body), at))
				rows = append(rows, row{"another byte in the body", both, other, ErrSignature})
			}
		}
		for _, row := range rows {
			t.Run(platform+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				err := dialect.Verify(row.source, row.request)
				if !errors.Is(err, row.want) && (!errors.Is(row.want, ErrMissing) || !errors.Is(err, ErrSignature)) {
					t.Errorf("%v, want %v", err, row.want)
				}
			})
		}
	}
}

// swap puts another letter at a place.
func swap(s string, at int) string {
	other := "x"
	if s[at] == 'x' {
		other = "y"
	}
	return s[:at] + other + s[at+1:]
}

// What a dialect forgets makes it stricter, never laxer.
func TestForgetfulDialectsAreStrict(t *testing.T) {
	t.Parallel()
	shows := func(given string, valid *Period) func(Source, Request) (Credentials, error) {
		return func(Source, Request) (Credentials, error) {
			var all []string
			if given != "" {
				all = append(all, given)
			}
			return Credentials{Given: all, Expected: shownKey, Valid: valid}, nil
		}
	}
	anyKey := func(secret string) ([]byte, error) { return []byte(secret), nil }
	fresh := &Period{now.Unix(), now.Unix()}
	unsigned := Source{Secrets: []string{"secret"}, Accept: []string{acceptUnsigned}, Path: "0123456789abcdef"}
	for _, row := range []struct {
		name   string
		scheme Scheme
		source Source
		err    error
	}{
		{"good", Scheme{Key: anyKey, Read: shows("secret", fresh)}, Source{Secrets: []string{"secret"}}, nil},
		{"a time that is not read", Scheme{Key: anyKey, Read: shows("secret", nil)}, Source{Secrets: []string{"secret"}}, ErrMissing},
		{"no time, on purpose", Scheme{Key: anyKey, Read: shows("secret", nil), Untimed: true}, Source{Secrets: []string{"secret"}}, nil},
		{"a key that is not checked", Scheme{Key: anyKey, Read: shows(" ", fresh)}, Source{Secrets: []string{""}}, ErrSignature},
		{
			"a key that is good for nothing",
			Scheme{Key: func(secret string) ([]byte, error) { return []byte(secret), errors.New("too short") }, Read: shows("secret", fresh)},
			Source{Secrets: []string{"secret"}}, ErrSignature,
		},
		{"an unsigned request, not offered", Scheme{Key: anyKey, Read: shows("", fresh)}, unsigned, ErrMissing},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := Request{Path: unsigned.Path, Now: now}
			if err := (Dialect{Scheme: row.scheme}).Verify(row.source, r); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
	keyless := Scheme{Key: anyKey, Untimed: true, Read: func(Source, Request) (Credentials, error) {
		return Credentials{Given: []string{hexMAC(nil, "", nil)}, Expected: signing(func(key []byte) string { return hexMAC(key, "", nil) })}, nil
	}}
	if err := (Dialect{Scheme: keyless}).Verify(Source{Secrets: []string{""}}, Request{Now: now}); !errors.Is(err, ErrSignature) {
		t.Errorf("an empty key signs: %v", err)
	}
	empty := Dialect{Scheme: Scheme{Key: anyKey, Untimed: true, Read: func(Source, Request) (Credentials, error) {
		return Credentials{Given: []string{""}, Expected: func([]byte) []string { return []string{""} }}, nil
	}}}
	if err := empty.Verify(Source{Secrets: []string{"secret"}}, Request{Now: now}); !errors.Is(err, ErrSignature) {
		t.Errorf("nothing matches nothing: %v", err)
	}
}

// Both ends of a period are in it, and of the tolerance.
func TestPeriod(t *testing.T) {
	t.Parallel()
	p := Period{From: 1000, Until: 1300}
	for at, want := range map[int64]error{939: ErrFuture, 940: nil, 1000: nil, 1300: nil, 1360: nil, 1361: ErrStale} {
		if err := p.holds(time.Unix(at, 999e6), time.Minute); !errors.Is(err, want) {
			t.Errorf("at %d: %v, want %v", at, err, want)
		}
	}
}

// A time of 12 digits or more is in milliseconds where the unit is not certain.
func TestSignedAtUnit(t *testing.T) {
	t.Parallel()
	for stamp, want := range map[string]int64{"99999999999": 99999999999, "100000000000": 100000000, "1795428000123": 1795428000} {
		if p := signedAtUnit(stamp); p == nil || *p != (Period{want, want}) {
			t.Errorf("%s is %v", stamp, p)
		}
	}
	for _, stamp := range []string{"", "now", "1795428000.5", "99999999999999999999"} {
		if p := signedAtUnit(stamp); p != nil {
			t.Errorf("%q is %v", stamp, p)
		}
	}
}

// A dialect's Resolution is that of the times that it writes.
func TestResolution(t *testing.T) {
	t.Parallel()
	at := now.Add(-time.Hour + 789*time.Millisecond)
	for platform, dialect := range Dialects {
		for _, kind := range kinds {
			e := attendance.Event{Kind: kind, Room: "r", Occurrence: "o", Attendee: "a", Connection: "c", Peer: "p", Email: "a@b.test", At: at}
			if kind == attendance.Left { // some platforms say with a leave since when
				e.Total = time.Minute
			}
			_, body := dialect.Encode(e)
			if body == nil {
				continue
			}
			r := Request{Method: http.MethodPost, Body: body, Now: now}
			dialect.Sign(subjects[platform].source(platform), &r)
			got, err := receive(platform, subjects[platform].source(platform), r)
			if err != nil || len(got.Events) == 0 {
				t.Fatalf("%s, %s: %+v, %v", platform, kind, got, err)
			}
			resolution := time.Millisecond
			if dialect.Resolution != nil {
				resolution = dialect.Resolution(kind)
			}
			if e := got.Events[len(got.Events)-1]; e.Kind != kind || !e.At.Equal(at.Truncate(resolution)) {
				t.Errorf("%s: %s at %s comes as %s at %s", platform, kind, at, e.Kind, e.At)
			}
		}
	}
}
