package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/centrifugal/protocol"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
)

// presence is what the same people are elsewhere: centrifuge's presence in Redis, which counts users beside connections. It keeps who is
// there now, and jauge who was. Its scripts are called through its own client, and through the one that jauge uses.
type presence struct {
	manager  *centrifuge.RedisPresenceManager
	client   *redis.AutoPipeliner
	add, rem string // SHA-1 of its scripts

	connections, users []string // as such ids are: a random UUID, and the platform's own
}

const channel = "webinar"

// newPresence opens both ways. The scripts are those of the module in this program: it does not export them.
func newPresence(ctx context.Context, s *redisServer, moduleRoot string) (_ *presence, done func(), err error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, nil, err
	}
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: s.address})
	if err != nil {
		return nil, nil, err
	}
	p := &presence{}
	p.manager, err = centrifuge.NewRedisPresenceManager(node, centrifuge.RedisPresenceManagerConfig{
		Shards: []*centrifuge.RedisShard{shard}, EnableUserMapping: func(string) bool { return true },
	})
	if err == nil {
		p.client, err = s.AutoPipeline()
	}
	if err == nil {
		err = p.load(ctx, s, moduleRoot)
	}
	if err != nil {
		shard.Close()
		return nil, nil, err
	}
	return p, shard.Close, nil
}

func (p *presence) load(ctx context.Context, s *redisServer, moduleRoot string) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/centrifugal/centrifuge")
	list.Dir = moduleRoot
	dir, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for name, sha := range map[string]*string{"presence_add.lua": &p.add, "presence_rem.lua": &p.rem} {
		script, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "redis_lua", name))
		if err != nil {
			return err
		}
		if *sha, err = s.ScriptLoad(ctx, string(script)).Result(); err != nil {
			return err
		}
	}
	return nil
}

// next makes the ids of the people of events.
func (p *presence) next(events []attendance.Event) {
	people := len(events) / 2
	p.connections, p.users = make([]string, people), make([]string, people)
	for i := range people {
		p.connections[i], p.users[i] = uuid.NewString(), events[i].Attendee
	}
}

// event gives whom the event of a number is of: all come, then all go.
func (p *presence) event(i int) (connection, user string, left bool) {
	people := len(p.users)
	return p.connections[i%people], p.users[i%people], i >= people
}

// own calls the library.
func (p *presence) own(i int) error {
	connection, user, left := p.event(i)
	if left {
		return p.manager.RemovePresence(channel, connection, user)
	}
	return p.manager.AddPresence(channel, connection, &centrifuge.ClientInfo{ClientID: connection, UserID: user})
}

// keys are of a channel of its own, so that both ways find as many people there.
var keys = []string{"same.presence.expire." + channel, "same.presence.data." + channel, "same.presence.user.expire." + channel, "same.presence.user.data." + channel}

// same calls the scripts as the library does, through jauge's client.
func (p *presence) same(ctx context.Context, i int) error {
	const lasting = time.Minute
	connection, user, left := p.event(i)
	if left {
		return answered(p.client.EvalSha(ctx, p.rem, keys, connection, user, "1", "0"))
	}
	info, err := (&protocol.ClientInfo{Client: connection, User: user}).MarshalCF()
	if err != nil {
		return err
	}
	return answered(p.client.EvalSha(ctx, p.add, keys, strconv.Itoa(int(lasting.Seconds())), strconv.FormatInt(time.Now().Add(lasting).Unix(), 10), connection, info, user, "1", "0"))
}

// answered takes no answer for one: the scripts return nothing.
func answered(cmd *redis.Cmd) error {
	if err := cmd.Err(); err != redis.Nil { //nolint:errorlint // never wrapped
		return err
	}
	return nil
}
