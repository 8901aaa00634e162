package jobs

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bascule/internal/smtp"
	"bascule/sql"
)

// Metrics count what a worker does. Their labels are names of ours (I6). The nil
// Metrics count nothing.
type Metrics struct {
	db       *sql.DB
	registry *prometheus.Registry
	mails    *prometheus.CounterVec
	stops    prometheus.Counter
}

// NewMetrics makes the metrics of one worker.
func NewMetrics(db *sql.DB) *Metrics {
	m := &Metrics{
		db: db, registry: prometheus.NewRegistry(),
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bascule_mails_total", Help: "Mails whose hand-over ended, by outcome.",
		}, []string{"outcome"}),
		stops: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bascule_campaign_stops_total", Help: "Campaigns that this worker stopped because they did harm.",
		}),
	}
	m.registry.MustRegister(m.mails, m.stops,
		m.gauge("bascule_mails_to_send", "Mails due now or later, with what running campaigns hold; NaN without PostgreSQL.",
			func(s sql.Status) float64 { return float64(s.ToSend + s.Leaving) }),
		m.gauge("bascule_mails_held", "Invitations that campaigns hold; NaN without PostgreSQL.",
			func(s sql.Status) float64 { return float64(s.Held) }),
		m.gauge("bascule_relay_refuses", "1 while the relay takes none of our mail; NaN without PostgreSQL.",
			func(s sql.Status) float64 {
				if s.Breaker != "" {
					return 1
				}
				return 0
			}),
	)
	return m
}

// metricsPatience is how long a scrape waits for PostgreSQL.
const metricsPatience = 2 * time.Second

// gauge asks for the status at each scrape.
func (m *Metrics) gauge(name, help string, read func(sql.Status) float64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), metricsPatience)
		defer cancel()
		s, err := m.db.Status(ctx, 0)
		if err != nil {
			return math.NaN()
		}
		return read(s)
	})
}

// Handler serves /metrics to Prometheus. /healthz tells that the process lives, and
// /readyz whether PostgreSQL answers.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), metricsPatience)
		defer cancel()
		if m.db.Ready(ctx) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

func (m *Metrics) mail(kind smtp.Kind) {
	if m != nil {
		m.mails.WithLabelValues(kind.String()).Inc()
	}
}

func (m *Metrics) stop() {
	if m != nil {
		m.stops.Inc()
	}
}
