import EnsembleModel
import Foundation
import RegistryClient

/// Values as people read them.
enum Format {
    /// `2026-01-31 12:34`, UTC.
    static func date(_ date: Date) -> String {
        date.ISO8601Format().prefix(16).replacingOccurrences(of: "T", with: " ")
    }

    /// A number with a fixed count of decimals.
    static func number(_ value: Double, places: Int = 4) -> String {
        value.formatted(
            .number.precision(.fractionLength(places)).grouping(.never).locale(Locale(identifier: "en_US_POSIX")))
    }

    /// Milliseconds, exactly.
    static func milliseconds(_ nanoseconds: Int64?) -> String {
        nanoseconds.map { ModelMetadata.decimal($0, places: 6) } ?? "-"
    }

    /// US dollars per 10,000 rows, exactly.
    static func usdPer10k(_ nanoUSDPerRow: Int64?) -> String {
        nanoUSDPerRow.map { ModelMetadata.decimal($0, places: 5) } ?? "-"
    }

    static func models(_ models: [ModelVersionID]) -> String {
        models.isEmpty ? "-" : models.map(\.description).joined(separator: " ")
    }

    /// The first 12 digits, enough to recognise a digest by.
    static func short(_ digest: ContentDigest) -> String { String(digest.hex.prefix(12)) }

    /// `1.2 MB`: decimal units, as disks and networks are sold.
    static func bytes(_ count: Double) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = count
        var unit = 0
        while value >= 999.95, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return number(value, places: unit == 0 ? 0 : 1) + " " + units[unit]
    }

    /// `59 s`, `3:05`, `1:02:03`.
    static func duration(_ seconds: Double) -> String {
        guard seconds < 359_999 else { return "many hours" }
        let total = Int(seconds.rounded(.up))
        guard total >= 60 else { return "\(total) s" }
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let hours = total / 3600
        return hours > 0 ? "\(hours):\(two(total / 60 % 60)):\(two(total % 60))" : "\(total / 60):\(two(total % 60))"
    }
}
