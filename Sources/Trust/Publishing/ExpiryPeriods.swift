public import struct Foundation.Date

/// How long metadata is valid, and when it is due to be signed anew.
public struct ExpiryPeriods: Hashable, Sendable {
    /// Seconds that a root is valid.
    public var root: Double = 365 * 86_400
    /// Seconds that targets are valid.
    public var targets: Double = 7 * 86_400
    /// Seconds that a snapshot is valid.
    public var snapshot: Double = 7 * 86_400
    /// Seconds that a timestamp is valid.
    public var timestamp: Double = 600
    /// Age in seconds from which on a timestamp is renewed.
    public var timestampRenewal: Double = 60

    /// A year, 7 days, 7 days and 10 minutes.
    public init() {}

    /// The time at which metadata signed now expires, in whole seconds.
    public func expiry(of role: MetadataRole, from now: Date) -> Date {
        Date(timeIntervalSince1970: (now.timeIntervalSince1970 + period(of: role)).rounded(.down))
    }

    /// Whether metadata with an expiry is due to be signed anew: targets, snapshot and root at half their time, the
    /// timestamp at ``timestampRenewal``; also what seems to come from as far in the future, by a wrong clock or a
    /// longer period.
    public func isRenewalDue(_ role: MetadataRole, expires: Date, now: Date) -> Bool {
        let period = period(of: role)
        let age = now.timeIntervalSince(expires) + period
        return abs(age) >= (role == .timestamp ? timestampRenewal : period / 2)
    }

    private func period(of role: MetadataRole) -> Double {
        switch role {
        case .root: root
        case .targets: targets
        case .snapshot: snapshot
        case .timestamp: timestamp
        }
    }
}
