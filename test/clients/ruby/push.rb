# Pushes, adds to and deletes groups through Debian's Ruby client. Usage: push.rb URL
require "prometheus/client"
require "prometheus/client/push"
require "prometheus/client/simple_value"

Prometheus::Client.configure { |config| config.value_class = Prometheus::Client::SimpleValue }

URL = ARGV.fetch(0)

def pusher(number)
  Prometheus::Client::Push.new(job: "ruby", instance: "höst #{number}", gateway: URL)
end

# This client leaves it to its user to look at the status.
def must_be_2xx(response)
  raise "status #{response.code}" unless response.is_a?(Net::HTTPSuccess)
end

12.times do |number|
  registry = Prometheus::Client::Registry.new
  registry.gauge(:batch_records, "Records of the last run.").set({ kind: "read" }, number)
  must_be_2xx(pusher(number).replace(registry))
end

(0...12).step(2) do |number|
  registry = Prometheus::Client::Registry.new
  registry.counter(:batch_errors_total, "Errors so far.").increment({}, number)
  must_be_2xx(pusher(number).add(registry))
end

3.times { |number| must_be_2xx(pusher(number).delete) }
