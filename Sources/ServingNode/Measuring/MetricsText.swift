/// Writes Prometheus' text format, version 0.0.4.
struct MetricsText {
    enum Kind: String {
        case counter, gauge, histogram
    }

    typealias Labels = [(name: String, value: String)]

    private(set) var text = ""

    /// Begins a metric; its samples follow.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// One value.
    mutating func sample(_ name: String, _ labels: Labels = [], _ value: some CustomStringConvertible) {
        text += name
        if !labels.isEmpty {
            text +=
                "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }.joined(separator: ",")
                + "}"
        }
        text += " \(value)\n"
    }

    /// The samples of a histogram: counts up to each bound, their sum and how many there are.
    mutating func histogram(_ name: String, _ labels: Labels, _ histogram: Histogram) {
        let counts = histogram.counts
        var total: UInt64 = 0
        for (bound, count) in zip(histogram.bounds.map(\.description) + ["+Inf"], counts.buckets) {
            total += count
            sample(name + "_bucket", labels + [("le", bound)], total)
        }
        sample(name + "_sum", labels, counts.sum)
        sample(name + "_count", labels, total)
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        let text = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return quotes ? text.replacing("\"", with: "\\\"") : text
    }
}
