// Command push replaces, adds to and deletes groups through client_golang.
// Usage: push URL, or push URL N for N pushes of one group.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
)

func main() {
	url := os.Args[1]
	var err error
	if len(os.Args) > 2 {
		err = pushOneGroup(url, os.Args[2])
	} else {
		err = pushManyGroups(url)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The client writes the grouping labels in the order of a Go map, which changes from push to push.
func pusher(url string, number int) *push.Pusher {
	return push.New(url, "go").
		Grouping("instance", fmt.Sprintf("host-%d", number)).
		Grouping("zone", fmt.Sprintf("z%d", number%3)).
		Grouping("path", "/var/lib").
		Grouping("empty", "")
}

func records(value int) prometheus.Collector {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "batch_records", Help: "Records."}, []string{"kind"})
	gauge.WithLabelValues("read").Set(float64(value))
	return gauge
}

func pushManyGroups(url string) error {
	for number := 0; number < 12; number++ {
		if err := pusher(url, number).Collector(records(number)).Push(); err != nil {
			return fmt.Errorf("replace group %d: %w", number, err)
		}
	}
	for number := 0; number < 12; number += 2 {
		counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "batch_errors_total", Help: "Errors so far."})
		counter.Add(float64(number))
		if err := pusher(url, number).Collector(counter).Add(); err != nil {
			return fmt.Errorf("add to group %d: %w", number, err)
		}
	}
	for number := 0; number < 3; number++ {
		if err := pusher(url, number).Delete(); err != nil {
			return fmt.Errorf("delete group %d: %w", number, err)
		}
	}
	return nil
}

func pushOneGroup(url, count string) error {
	pushes, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	for value := 1; value <= pushes; value++ {
		if err := pusher(url, 1).Collector(records(value)).Push(); err != nil {
			return fmt.Errorf("push %d: %w", value, err)
		}
	}
	return nil
}
