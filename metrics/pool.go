package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Pool is the state of one connection pool to Redis. All but Total and Idle count since the pool was made.
type Pool struct {
	Hits     uint32        // times a free connection was found
	Misses   uint32        // times a new one had to be made
	Timeouts uint32        // times none came free in time
	Stale    uint32        // connections closed because they were old
	Waited   time.Duration // sum of the times spent waiting for a free one
	Total    uint32        // connections open now
	Idle     uint32        // of which unused
}

// pools reads the pools at each scrape.
type pools struct {
	read func() map[string]Pool
}

var (
	poolHits = desc("jauge_redis_pool_hits_total", "",
		"Times a free connection to Redis was found in the pool.", "pool")
	poolMisses = desc("jauge_redis_pool_misses_total", "",
		"Times no free connection to Redis was in the pool and one was made.", "pool")
	poolTimeouts = desc("jauge_redis_pool_timeouts_total", "",
		"Times no connection to Redis came free in time.", "pool")
	poolStale = desc("jauge_redis_pool_stale_total", "",
		"Connections to Redis closed because they were old.", "pool")
	poolWaited = desc("jauge_redis_pool_wait_seconds_total", "",
		"Time spent waiting for a free connection to Redis.", "pool")
	poolConnections = desc("jauge_redis_pool_connections", "",
		"Connections to Redis that are open now, used and idle.", "pool", "state")
)

// Describe implements prometheus.Collector.
func (pools) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolHits, poolMisses, poolTimeouts, poolStale, poolWaited, poolConnections} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p pools) Collect(ch chan<- prometheus.Metric) {
	for name, pool := range p.read() {
		for d, n := range map[*prometheus.Desc]float64{
			poolHits: float64(pool.Hits), poolMisses: float64(pool.Misses), poolTimeouts: float64(pool.Timeouts),
			poolStale: float64(pool.Stale), poolWaited: pool.Waited.Seconds(),
		} {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, n, name)
		}
		gauge(ch, poolConnections, float64(max(pool.Total, pool.Idle)-pool.Idle), name, "used")
		gauge(ch, poolConnections, float64(pool.Idle), name, "idle")
	}
}
