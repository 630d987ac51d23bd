package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"jauge/internal/journal"
)

// A running service holds its journal open; `jauge journal` asks it, on a separate loopback port. A file in data_dir that only the
// service's user may read has the address and a token. The service's public address does not lead there.

// controlFile is what stands in that file, from the start of a service to its stop.
type controlFile struct {
	Address string `json:"address"`
	Token   string `json:"token"` // of this run alone
}

func controlPath(dataDir string) string { return filepath.Join(dataDir, "control.json") }

// control serves the journal until ctx ends. If it cannot, the command does without, and the service goes on.
func (s *stores) control(ctx context.Context, dataDir string, log *slog.Logger) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err == nil {
		defer listener.Close() //nolint:errcheck // closed by the server already in the usual case
		file := controlFile{Address: listener.Addr().String(), Token: rand.Text()}
		if err = file.write(dataDir); err == nil {
			defer os.Remove(controlPath(dataDir)) //nolint:errcheck // the next start writes it anew
			server := &http.Server{Handler: file.guard(s.controls()), ReadHeaderTimeout: time.Second, ReadTimeout: 5 * time.Second}
			stop := context.AfterFunc(ctx, func() { _ = server.Close() })
			defer stop()
			err = server.Serve(listener)
		}
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		log.Warn("jauge journal can be used only while the service is stopped", "error", err)
	}
}

func (f controlFile) write(dataDir string) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_ = os.Remove(controlPath(dataDir)) // left by a service that was killed, perhaps with other permissions
	return os.WriteFile(controlPath(dataDir), text, 0o600)
}

// guard admits requests with the token of the file.
func (f controlFile) guard(h http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + f.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			http.Error(w, "this is for jauge journal", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (s *stores) controls() http.Handler {
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any, err error) {
		switch {
		case err == nil:
			_ = json.NewEncoder(w).Encode(v) // the caller is gone
		case errors.Is(err, journal.ErrNoEntry):
			http.Error(w, err.Error(), http.StatusNotFound)
		case errors.Is(err, journal.ErrAway):
			http.Error(w, "the store is away: it is tried again when it is back", http.StatusServiceUnavailable)
		default:
			http.Error(w, "the journal cannot be read or written", http.StatusInternalServerError)
		}
	}
	mux.HandleFunc("GET /journal", func(w http.ResponseWriter, _ *http.Request) {
		list, err := listOf(s.journal)
		reply(w, list, err)
	})
	mux.HandleFunc("POST /journal/retry", func(w http.ResponseWriter, r *http.Request) {
		applied, refused, err := s.journal.Retry(r.Context(), r.URL.Query()["id"]...)
		reply(w, retried{Applied: applied, Refused: refused}, err)
	})
	mux.HandleFunc("POST /journal/drop", func(w http.ResponseWriter, r *http.Request) {
		n, err := s.journal.Drop(r.URL.Query()["id"]...)
		reply(w, n, err)
	})
	return mux
}

// controlClient asks a running service.
type controlClient struct {
	controlFile
	*http.Client
}

// runningService is the service that works on a data_dir; false: none does.
func runningService(dataDir string) (controlClient, bool) {
	c := controlClient{Client: &http.Client{Timeout: time.Minute}}
	text, err := os.ReadFile(controlPath(dataDir))
	if err != nil || json.Unmarshal(text, &c.controlFile) != nil {
		return c, false
	}
	_, err = c.List(context.Background()) // a service that was killed leaves its file behind
	return c, err == nil
}

func (c controlClient) do(ctx context.Context, method, path string, ids []string, v any) error {
	address := url.URL{Scheme: "http", Host: c.Address, Path: path, RawQuery: url.Values{"id": ids}.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return fmt.Errorf("journal: %s", strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(response.Body).Decode(v)
}

// List implements journalHolder.
func (c controlClient) List(ctx context.Context) (l journalList, err error) {
	return l, c.do(ctx, http.MethodGet, "/journal", nil, &l)
}

// Retry implements journalHolder.
func (c controlClient) Retry(ctx context.Context, ids []string) (r retried, err error) {
	return r, c.do(ctx, http.MethodPost, "/journal/retry", ids, &r)
}

// Drop implements journalHolder.
func (c controlClient) Drop(ctx context.Context, ids []string) (n int, err error) {
	return n, c.do(ctx, http.MethodPost, "/journal/drop", ids, &n)
}

// Close implements journalHolder.
func (c controlClient) Close() error {
	c.CloseIdleConnections()
	return nil
}
