package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"jauge/internal/journal"
)

// A running service holds its journal; `jauge journal` asks it over a Unix socket in data_dir, which only its user may open.
// It is no part of the service's HTTP surface: no address of the network leads to it.

func controlPath(dataDir string) string { return filepath.Join(dataDir, "control.sock") }

// control serves the journal on the socket until ctx ends. A directory that takes no sockets costs the command, not the service.
func (s *stores) control(ctx context.Context, dataDir string, log *slog.Logger) {
	path := controlPath(dataDir)
	_ = os.Remove(path) // of a service that was killed: the journal is ours by now
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		log.Warn("jauge journal can be used only while the service is stopped", "error", err)
		return
	}
	server := &http.Server{Handler: s.controls(), ReadHeaderTimeout: time.Second, ReadTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	_ = server.Serve(listener) // ends with ctx
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
type controlClient struct{ *http.Client }

func newControlClient(dataDir string) controlClient {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", controlPath(dataDir))
	}
	return controlClient{&http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// answers says whether a service is there.
func (c controlClient) answers() bool {
	_, err := c.List(context.Background())
	return err == nil
}

func (c controlClient) do(ctx context.Context, method, path string, ids []string, v any) error {
	address := url.URL{Scheme: "http", Host: "jauge", Path: path, RawQuery: url.Values{"id": ids}.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), nil)
	if err != nil {
		return err
	}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	if response.StatusCode != http.StatusOK {
		var text [200]byte
		n, _ := response.Body.Read(text[:])
		return fmt.Errorf("journal: %s", text[:n])
	}
	return json.NewDecoder(response.Body).Decode(v)
}

// List implements keeper.
func (c controlClient) List(ctx context.Context) (l journalList, err error) {
	return l, c.do(ctx, http.MethodGet, "/journal", nil, &l)
}

// Retry implements keeper.
func (c controlClient) Retry(ctx context.Context, ids []string) (r retried, err error) {
	return r, c.do(ctx, http.MethodPost, "/journal/retry", ids, &r)
}

// Drop implements keeper.
func (c controlClient) Drop(ctx context.Context, ids []string) (n int, err error) {
	return n, c.do(ctx, http.MethodPost, "/journal/drop", ids, &n)
}

// Close implements keeper.
func (c controlClient) Close() error {
	c.CloseIdleConnections()
	return nil
}
