package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/programme"
)

// reply is an error as a server sends it.
type reply string

func (r reply) Error() string { return string(r) }

// RedisError implements redis.Error.
func (reply) RedisError() {}

// TestJudge: the first word decides, whatever a script or a pipeline adds behind it, and what nobody knows is away.
func TestJudge(t *testing.T) {
	t.Parallel()
	script := " script: 4ae8f2, on @user_script:31."
	for name, tt := range map[string]struct {
		err   error
		fault journal.Fault
		why   string
	}{
		"full":                         {reply("OOM command not allowed when used memory > 'maxmemory'." + script), journal.Away, "OOM"},
		"read-only":                    {reply("READONLY You can't write against a read only replica." + script), journal.Away, "READONLY"},
		"without its replicas":         {reply("NOREPLICAS Not enough good replicas to write." + script), journal.Away, "NOREPLICAS"},
		"cannot save":                  {reply("MISCONF Redis is configured to save RDB snapshots"), journal.Away, "MISCONF"},
		"busy with a script":           {reply("BUSY Redis is busy running a script. You can only call SCRIPT KILL"), journal.Away, "BUSY"},
		"loading":                      {reply("LOADING Redis is loading the dataset in memory"), journal.Away, "LOADING"},
		"another password":             {reply("WRONGPASS invalid username-password pair"), journal.Away, "WRONGPASS"},
		"a password":                   {reply("NOAUTH Authentication required."), journal.Away, "NOAUTH"},
		"no permission":                {reply("NOPERM this user has no permissions"), journal.Away, "NOPERM"},
		"a cluster without a slot":     {reply("CLUSTERDOWN Hash slot not served"), journal.Away, "CLUSTERDOWN"},
		"too many clients":             {reply("ERR max number of clients reached"), journal.Away, "other"},
		"a word of tomorrow":           {reply("WHATEVER is new"), journal.Away, "other"},
		"wrapped":                      {fmt.Errorf("record: %w", reply("OOM x"+script)), journal.Away, "OOM"},
		"another type of key":          {reply("WRONGTYPE Operation against a key" + script), journal.Entry, "WRONGTYPE"},
		"a mistake in the script":      {reply("ERR user_script:31: attempt to index a nil value" + script), journal.Entry, "script"},
		"the same, embedded":           {reply("ERR Error compiling script (new function): :335: attempt to compare number with nil"), journal.Entry, "script"},
		"no certificate":               {asTransport(x509.UnknownAuthorityError{}), journal.Away, "network"},
		"refused":                      {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, journal.Away, "refused"},
		"hung":                         {fmt.Errorf("read: %w", context.DeadlineExceeded), journal.Away, "timeout"},
		"an empty pool":                {asTransport(redis.ErrPoolTimeout), journal.Away, "pool"},
		"cut off":                      {asTransport(io.EOF), journal.Away, "network"},
		"nothing there":                {redis.Nil, journal.Caller, "invalid"},
		"a domain's answer":            {fmt.Errorf("x: %w", programme.ErrNotFound), journal.Caller, "invalid"},
		"a domain's answer to answers": {feedback.ErrDeleted, journal.Caller, "invalid"},
		"data that cannot be read":     {&json.SyntaxError{}, journal.Caller, "invalid"},
	} {
		if fault, why := judge(tt.err); fault != tt.fault || why != tt.why || away(tt.err) != (tt.fault == journal.Away) {
			t.Errorf("%s: %v %q, away %t", name, fault, why, away(tt.err))
		}
	}
	if away(nil) {
		t.Error("no error is away")
	}
}

// trouble is a way in which a Redis that is there takes nothing.
type trouble struct {
	name, why string
	begin     func(t *testing.T, rdb redis.UniversalClient)
	end       func(t *testing.T, rdb redis.UniversalClient)
}

func set(name, value string) func(*testing.T, redis.UniversalClient) {
	return func(t *testing.T, rdb redis.UniversalClient) {
		t.Helper()
		if err := rdb.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func command(words ...any) func(*testing.T, redis.UniversalClient) {
	return func(t *testing.T, rdb redis.UniversalClient) {
		t.Helper()
		if err := rdb.Do(t.Context(), words...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// cut ends the connections of everybody else, as when settings of connections change.
var cut = command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

// troubles that begin and end at the server, without a loss of what it holds.
var troubles = []trouble{
	{"full", "OOM", set("maxmemory", "1mb"), set("maxmemory", "0")},
	{"without its replicas", "NOREPLICAS", set("min-replicas-to-write", "1"), set("min-replicas-to-write", "0")},
	{"read-only", "READONLY", command("REPLICAOF", "127.0.0.1", "1"), command("REPLICAOF", "NO", "ONE")},
	{"another password", "NOAUTH", func(t *testing.T, rdb redis.UniversalClient) {
		set("requirepass", "secret")(t, rdb)
		cut(t, rdb)
	}, set("requirepass", "")},
	{"busy with a script", "BUSY", func(t *testing.T, rdb redis.UniversalClient) {
		set("busy-reply-threshold", "1")(t, rdb)
		go rdb.Eval(context.WithoutCancel(t.Context()), "while true do end", nil) //nolint:errcheck // killed at the end
		await(t, "the script to keep the server busy", func() bool { return redis.HasErrorPrefix(rdb.Ping(t.Context()).Err(), "BUSY") })
	}, command("SCRIPT", "KILL")},
	{"loading", "LOADING", func(t *testing.T, rdb redis.UniversalClient) {
		command("DEBUG", "POPULATE", "200000")(t, rdb)
		set("loading-process-events-interval-bytes", "1024")(t, rdb)
		set("key-load-delay", "2000")(t, rdb)                            // µs a key: minutes, until the end below
		go rdb.Do(context.WithoutCancel(t.Context()), "DEBUG", "RELOAD") //nolint:errcheck // it ends with the server or with the loading
		await(t, "the server to load", func() bool { return redis.HasErrorPrefix(rdb.Get(t.Context(), "x").Err(), "LOADING") })
	}, set("key-load-delay", "0")},
}

// TestARedisThatRefusesIsAway: whatever a Redis that is there says, platforms and attendees are told that all is kept, operators
// are told why, and all is counted afterwards without a restart.
func TestARedisThatRefusesIsAway(t *testing.T) {
	t.Parallel()
	for _, tt := range troubles {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, p := onRedis(t)
			rdb := server.Client()
			t.Cleanup(func() { _ = rdb.Close() })
			p.send(attendance.Joined, "before", time.Now())
			tt.begin(t, rdb)
			p.keepsEverything(tt.why)
			tt.end(t, rdb)
			p.countsEverything(1+meanwhile, 2)
		})
	}
}

// TestTheJournalIsDrainedIntoNothingThatRefuses: a Redis that comes back and takes nothing yet costs no entry.
func TestTheJournalIsDrainedIntoNothingThatRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range troubles[:3] {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, p := onRedis(t)
			rdb := server.Client()
			t.Cleanup(func() { _ = rdb.Close() })
			tt.begin(t, rdb)
			server.Pause()
			p.keepsEverything("timeout")
			server.Resume()
			await(t, "the trouble to be another one", func() bool { return strings.Contains(p.troubles(), `why="`+tt.why) })
			tt.end(t, rdb)
			p.countsEverything(meanwhile, 2)
		})
	}
}

// TestARedisWithAnotherCertificateIsAway: TLS that fails is no answer to an entry.
func TestARedisWithAnotherCertificateIsAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := certificate(t, dir, "good"), certificate(t, dir, "bad")
	_, port, _ := net.SplitHostPort(freeAddress(t))
	server, err := redistest.StartServer("--tls-port", port, "--tls-cert-file", good+".pem", "--tls-key-file", good+".key",
		"--tls-ca-cert-file", good+".pem", "--tls-auth-clients", "no")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	rdb := server.Client()
	t.Cleanup(func() { _ = rdb.Close() })
	p := start(t, todaysTalk(), "JAUGE_REDIS_URL=rediss://127.0.0.1:"+port, "SSL_CERT_FILE="+good+".pem")
	present := func(name string) {
		t.Helper()
		if err := rdb.Do(t.Context(), "CONFIG", "SET", "tls-cert-file", name+".pem", "tls-key-file", name+".key").Err(); err != nil {
			t.Fatal(err)
		}
		cut(t, rdb)
	}
	present(bad)
	p.keepsEverything("tls")
	present(good)
	p.countsEverything(meanwhile, 2)
}

// certificate writes a self-signed one for 127.0.0.1 and gives its path without the extension.
func certificate(t *testing.T, dir, name string) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: public}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path+file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// meanwhile is how many people join while the store is in trouble.
const meanwhile = 8

// keepsEverything sends events and answers while the store is in trouble: all are acknowledged, and the reason is told.
func (p *program) keepsEverything(why string) {
	p.t.Helper()
	for i := range meanwhile {
		p.send(attendance.Joined, fmt.Sprint("meanwhile ", i), time.Now())
	}
	p.answer(4)
	p.answerByForm(5)
	await(p.t, "jauge_redis_trouble to say "+why, func() bool { return p.troubles() == `why="`+why+`"} 1` })
	await(p.t, "/readyz to say "+why, func() bool { // each asks the server anew, which may take too long to say it
		code, text := p.do(http.MethodGet, "/readyz", http.Header{}, nil)
		return code == http.StatusServiceUnavailable && strings.Contains(string(text), why)
	})
	if code, _ := p.do(http.MethodGet, "/healthz", http.Header{}, nil); code != http.StatusOK {
		p.t.Errorf("/healthz: %d", code)
	}
}

// countsEverything waits until the store has what was kept.
func (p *program) countsEverything(people, respondents int) {
	p.t.Helper()
	await(p.t, "the journal to be drained", func() bool {
		return strings.Contains(p.everyMetric(), "\njauge_journal_pending 0\n") && strings.Contains(p.everyMetric(), "\njauge_redis_up 1\n")
	})
	object := p.api("/api/v1/sessions/talk")
	unique, answers := object["attendance"].(map[string]any)["unique"], object["feedback"].(map[string]any)["respondents"]
	if unique != float64(people) || answers != float64(respondents) {
		p.t.Errorf("%v people of %d, %v answers of %d", unique, people, answers, respondents)
	}
	if code, text := p.do(http.MethodGet, "/readyz", http.Header{}, nil); code != http.StatusOK {
		p.t.Errorf("/readyz: %d %s", code, text)
	}
}

func (p *program) everyMetric() string {
	p.t.Helper()
	_, text := p.do(http.MethodGet, "/metrics", http.Header{"Authorization": {"Bearer " + token}}, nil)
	return string(text)
}

// troubles is the line that says why the store takes nothing; empty: it does.
func (p *program) troubles() string {
	p.t.Helper()
	_, line, _ := strings.Cut(p.everyMetric(), "\njauge_redis_trouble{")
	line, _, _ = strings.Cut(line, "\n")
	return line
}

var formToken = regexp.MustCompile(`name="(token|resume|page)" value="([^"]*)"`)

// answerByForm fills the page as a browser does.
func (p *program) answerByForm(rating int) {
	p.t.Helper()
	code, page := p.do(http.MethodGet, "/feedback/talk", http.Header{}, nil)
	if code != http.StatusOK {
		p.t.Fatalf("the survey: %d", code)
	}
	form := url.Values{"q.rating": {fmt.Sprint(rating)}, "do": {"send"}}
	for _, field := range formToken.FindAllSubmatch(page, -1) {
		form.Set(string(field[1]), string(field[2]))
	}
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/feedback/talk", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultTransport.RoundTrip(r) // not followed: what it leads to is in the store
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusSeeOther {
		p.t.Fatalf("the form: %d %s", answer.StatusCode, text)
	}
}
