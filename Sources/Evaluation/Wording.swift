import EnsembleModel
import Foundation

extension Int {
    /// `1st`, `2nd`, `3rd`, `4th` ...
    var ordinal: String {
        let suffix =
            switch (self % 10, self % 100) {
            case (_, 11...13): "th"
            case (1, _): "st"
            case (2, _): "nd"
            case (3, _): "rd"
            default: "th"
            }
        return "\(self)\(suffix)"
    }

    /// `1 member`, `2 members`.
    func counted(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}

extension Double {
    /// This number with a fixed number of decimals.
    func decimals(_ count: Int) -> String { String(format: "%.\(count)f", self) }
}

extension Budget {
    /// The limits in words.
    var summary: String {
        var limits = [members.counted("member")]
        if let latencyMilliseconds { limits.append("\(latencyMilliseconds) ms a row (\(latencyRule.rawValue))") }
        if let costUSDPer10k { limits.append("\(costUSDPer10k) USD per 10,000 rows") }
        return limits.joined(separator: ", ")
    }
}
