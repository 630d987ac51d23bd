package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"jauge/internal/journal"
)

// journalCollector shows what waits on this replica's disk.
type journalCollector struct {
	stats func() journal.Stats
}

var (
	journalPending = desc("jauge_journal_pending", "",
		"Events and answers kept on this replica's disk that Redis has not taken yet.")
	journalRefused = desc("jauge_journal_refused", "",
		"Entries on this replica's disk that the store is there for and did not take, however often they were tried: see jauge journal list.")
	journalOldest = desc("jauge_journal_oldest_seconds", "seconds",
		"For how long something has been waiting on this replica's disk without a break; 0: nothing does.")
	journalRetries = desc("jauge_journal_retries_total", "",
		"Refused entries that were tried again by hand, by what became of them: applied or refused.", "result")
)

// Describe implements prometheus.Collector.
func (journalCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{journalPending, journalRefused, journalOldest, journalRetries} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c journalCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.stats()
	gauge(ch, journalPending, float64(s.Pending))
	gauge(ch, journalRefused, float64(s.Refused))
	gauge(ch, journalOldest, max(0, s.Waited.Seconds()))
	for result, n := range map[string]int64{"applied": s.Retried.Applied, "refused": s.Retried.Refused} {
		ch <- prometheus.MustNewConstMetric(journalRetries, prometheus.CounterValue, float64(n), result)
	}
}
