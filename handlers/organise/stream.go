package organise

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	snapshotEvery = time.Second      // at most one snapshot in this time
	lookEvery     = time.Second      // how often it is checked whether the grant still holds
	commentEvery  = 15 * time.Second // so that proxies and browsers do not give up on a quiet stream
	writeTimeout  = 10 * time.Second // per write: a client that does not read for that long is cut off
)

// snapshot is one state of a session: the bytes to send, and what decides whether it is news.
type snapshot struct {
	data []byte
	news string
}

// snapshot reads a session for the stream. A change of the moment or of watch time alone is not news: they grow with the clock.
func (h *Handlers) snapshot(ctx context.Context, id string) (snapshot, error) {
	st, err := h.Sessions.Live(ctx, id)
	if err != nil {
		return snapshot{}, err
	}
	object := st.Object(h.Now())
	data, err := json.Marshal(object)
	if err != nil {
		return snapshot{}, err
	}
	object.Attendance.AsOf = nil
	object.Attendance.WatchSeconds, object.Attendance.WatchSecondsLow, object.Attendance.InferredShare = nil, nil, nil
	object.Attendance.StayMean, object.Attendance.StayMedian = nil, nil
	if object.Attendance.Measured != nil {
		object.Attendance.Measured.WatchSeconds = 0
	}
	news, err := json.Marshal(object)
	return snapshot{data, string(news)}, err
}

// Stream handles GET /sessions/{id}/stream: server-sent events, one "snapshot" at once and then one per change, while the grant that it
// was opened with is valid.
func (h *Handlers) Stream(c *gin.Context) error {
	session, err := h.Sessions.Programme.Session(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	snapshots, leave := h.hub.join(session.ID)
	defer leave()
	c.Header("Content-Type", "text/event-stream")
	c.Header("X-Accel-Buffering", "no") // nginx would hold events back
	c.Status(http.StatusOK)
	comments := time.NewTicker(commentEvery)
	defer comments.Stop()
	looks := time.NewTicker(lookEvery)
	defer looks.Stop()
	for message := ": welcome\n\n"; h.Keeper.StillHolds(c); {
		if err := write(c, message); err != nil {
			return nil // the reader is gone
		}
		select {
		case <-looks.C:
			message = ""
		case data := <-snapshots:
			message = fmt.Sprintf("event: snapshot\ndata: %s\n\n", data)
		case <-comments.C:
			message = ": still here\n\n"
		case <-c.Request.Context().Done():
			return nil
		case <-h.Draining.Done():
			return nil
		}
	}
	return nil
}

// write sends one message, if there is one, under a deadline of its own: the server's write timeout would end the stream.
func write(c *gin.Context, message string) error {
	if message == "" {
		return nil
	}
	control := http.NewResponseController(c.Writer)
	if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := c.Writer.WriteString(message); err != nil {
		return err
	}
	return control.Flush()
}

// hub reads each watched session once per interval, however many watch it.
type hub struct {
	ctx   context.Context // ends every broadcast
	read  func(ctx context.Context, id string) (snapshot, error)
	every time.Duration

	mu         sync.Mutex // guards broadcasts and what is in them
	broadcasts map[string]*broadcast
}

// broadcast is one watched session. Its goroutine runs from the first client's join to the last one's leave.
type broadcast struct {
	clients map[chan []byte]struct{} // each holds the latest snapshot that was not yet sent
	last    snapshot
	stop    context.CancelFunc
}

func newHub(ctx context.Context, read func(context.Context, string) (snapshot, error)) *hub {
	return &hub{ctx: ctx, read: read, every: snapshotEvery, broadcasts: map[string]*broadcast{}}
}

// join adds a client. Call leave exactly once.
func (h *hub) join(id string) (snapshots <-chan []byte, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.broadcasts[id]
	if b == nil {
		ctx, stop := context.WithCancel(h.ctx)
		b = &broadcast{clients: map[chan []byte]struct{}{}, stop: stop}
		h.broadcasts[id] = b
		go h.run(ctx, id, b)
	}
	client := make(chan []byte, 1)
	b.clients[client] = struct{}{}
	if b.last.data != nil {
		client <- b.last.data
	}
	return client, func() { h.leave(id, b, client) }
}

func (h *hub) leave(id string, b *broadcast, client chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(b.clients, client)
	if len(b.clients) == 0 {
		b.stop()
		delete(h.broadcasts, id)
	}
}

// run reads until the context ends. While the store is away nothing is sent: the page says how long it has heard nothing.
func (h *hub) run(ctx context.Context, id string, b *broadcast) {
	ticker := time.NewTicker(h.every)
	defer ticker.Stop()
	for {
		if latest, err := h.read(ctx, id); err == nil {
			h.publish(b, latest)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// publish gives every client the latest snapshot, in place of one that it has not taken: slow clients miss some and block none.
func (h *hub) publish(b *broadcast, latest snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if latest.news == b.last.news {
		return
	}
	b.last = latest
	for client := range b.clients {
		select {
		case <-client:
		default:
		}
		client <- latest.data // does not block: only this function and join send, under the lock
	}
}
