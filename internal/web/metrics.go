package web

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bascule/internal/admission"
)

// metrics count the work of the pages. Their labels are names of ours, never a client's
// text (I6).
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	activations *prometheus.CounterVec
	hashing     prometheus.Histogram
}

// newMetrics registers the metrics. Each scrape calls besieged.
func newMetrics(hashes *admission.Semaphore, besieged func() float64) *metrics {
	registry := prometheus.NewRegistry()
	registered := promauto.With(registry)
	registered.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bascule_besieged_spaces", Help: "Password spaces at which strangers' guesses were stopped within the last hour; NaN without PostgreSQL.",
	}, besieged)
	registered.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bascule_hashing_slots_used", Help: "Submissions that hold a hashing slot.",
	}, func() float64 { return float64(hashes.InUse()) })
	registered.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bascule_hashing_queue", Help: "Submissions that wait for a hashing slot.",
	}, func() float64 { return float64(hashes.Waiting()) })
	registered.NewCounterFunc(prometheus.CounterOpts{
		Name: "bascule_hashing_refused_total", Help: "Submissions sent away because no hashing slot came free.",
	}, func() float64 { return float64(hashes.Refused()) })
	return &metrics{
		registry: registry,
		requests: registered.NewCounterVec(prometheus.CounterOpts{
			Name: "bascule_http_requests_total", Help: "Requests answered, by method, route and status.",
		}, []string{"method", "route", "status"}),
		seconds: registered.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bascule_http_request_seconds", Help: "Time to answer a request, by route.",
			Buckets: []float64{.001, .005, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}, []string{"route"}),
		activations: registered.NewCounterVec(prometheus.CounterOpts{
			Name: "bascule_activation_submissions_total", Help: "Forms submitted to /activation and /espace/identifiants, by outcome.",
		}, []string{"outcome"}),
		hashing: registered.NewHistogram(prometheus.HistogramOpts{
			Name: "bascule_hashing_seconds", Help: "Time to hash the secrets of one submission, once it has a slot.",
			Buckets: []float64{.02, .05, .1, .2, .5, 1, 2},
		}),
	}
}

func (m *metrics) request(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// outcome is how a submission to /activation or /espace/identifiants ended.
type outcome string

const (
	outcomeActivated   outcome = "activated"
	outcomeRepeated    outcome = "repeated"    // the form that activated, again
	outcomeIdentifiers outcome = "identifiers" // a right code: the next screen
	outcomeCodeSent    outcome = "code_sent"   // another address is to be proven (D1)
	outcomeInvalid     outcome = "invalid"     // the form has errors to correct
	outcomeRefused     outcome = "refused"     // the code is wrong, unknown, expired or used
	outcomeThrottled   outcome = "throttled"
	outcomeConflict    outcome = "conflict" // an address taken, reserved, or one too many
	outcomeAlready     outcome = "already_activated"
	outcomeOverload    outcome = "overload"
	outcomeFailed      outcome = "failed" // a fault of ours
)

// activation counts a submission; an error tells an overload from a fault.
func (m *metrics) activation(o outcome, err error) {
	if isBusy(err) {
		o = outcomeOverload
	}
	m.activations.WithLabelValues(string(o)).Inc()
}

// Metrics serves the metrics to Prometheus, and the probes, where no subscriber can be
// in their way. They name nobody (I6), but another listener than the pages' serves them
// all the same.
func (s *Server) Metrics() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		if isProbe(r.path) {
			mux.Handle(r.path, s.dispatch(r))
		}
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

// besieged is NaN if PostgreSQL does not answer in time.
func (s *Server) besieged() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), readyPatience)
	defer cancel()
	n, err := s.cfg.DB.Besieged(ctx)
	if err != nil {
		return math.NaN()
	}
	return float64(n)
}
