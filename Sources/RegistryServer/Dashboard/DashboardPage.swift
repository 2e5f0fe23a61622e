import EnsembleModel
import Foundation

/// What the dashboard's templates are filled with: everything is text already, and stored, since templates see nothing
/// else.
enum DashboardPage {
    /// A page around its content.
    struct Frame {
        var title: String
        /// Seconds after which the browser loads the page again; nil for never.
        var refresh: Int?
        var identity: String?
        var content: String
    }

    struct Login {
        let failure: String?
    }

    struct Overview {
        struct Row {
            let name, sequence, members, nodes, current, refused, stale, silent, testsLeft: String
            let isRefused, isStale, isSilent: Bool
        }

        let ensembles: [Row]
        let hasEnsembles: Bool
        let more: String?

        init(_ ensembles: [Row], more: String?) {
            self.ensembles = ensembles
            hasEnsembles = !ensembles.isEmpty
            self.more = more
        }
    }

    struct Ensemble {
        struct Rollout {
            /// A class of the style sheet.
            let kind: String
            let text: String
        }

        struct Node {
            let node, running, wanted, standing, kind, state, age, requests, p99, labelHits, version, error: String
            let isSilent: Bool
        }

        struct Promotion {
            let sequence, at, kind, joined, retired, actor, reason: String
        }

        struct Decision {
            let id, at, model, verdict, reason: String
        }

        let name, summary: String
        let members: String?
        let rollout: Rollout?
        let nodes: [Node]
        let more: String?
        let promotions: [Promotion]
        let decisions: [Decision]
        let hasNodes, hasPromotions, hasDecisions: Bool

        init(
            _ ensemble: EnsembleRecord, rollout: RolloutRecord?, nodes: [Node], more: String?,
            promotions: [PromotionRecord], decisions: [DecisionRecord]
        ) {
            name = ensemble.name
            let champion =
                ensemble.sequence == 0
                ? "Not founded yet" : "Manifest \(ensemble.sequence), \(ensemble.members.count) members"
            summary =
                "\(champion). \(ensemble.candidateCount) candidates, epoch \(ensemble.epoch.number) of "
                + "\(ensemble.epoch.rowCount) rows, admission \(ensemble.policy.admission.rawValue)."
            members = ensemble.members.isEmpty ? nil : DashboardPage.text(ensemble.members)
            self.rollout = Rollout(rollout)
            self.nodes = nodes
            self.more = more
            self.promotions = promotions.map { Promotion($0) }
            self.decisions = decisions.map { Decision($0) }
            (hasNodes, hasPromotions) = (!nodes.isEmpty, !promotions.isEmpty)
            hasDecisions = !decisions.isEmpty
        }
    }
}

extension DashboardPage.Overview.Row {
    init(_ ensemble: EnsembleRecord, _ counts: NodeCounts) {
        name = ensemble.name
        sequence = ensemble.sequence == 0 ? "-" : "\(ensemble.sequence)"
        members = "\(ensemble.members.count)"
        nodes = "\(counts.all)"
        current = "\(counts.current)"
        refused = "\(counts.refused)"
        stale = "\(counts.stale)"
        silent = "\(counts.silent)"
        testsLeft = ensemble.policy.admission == .gated ? "\(ensemble.ledger.testsLeft)" : "-"
        isRefused = counts.refused > 0
        isStale = counts.stale > 0
        isSilent = counts.silent > 0
    }
}

extension DashboardPage.Ensemble.Rollout {
    init?(_ rollout: RolloutRecord?) {
        guard let rollout, rollout.state != .complete else { return nil }
        let place = "\(rollout.nodes.reached) of \(rollout.nodes.following) nodes"
        switch rollout.state {
        case .halted:
            kind = "bad"
            text = "Manifest \(rollout.sequence) is halted at \(place): \(rollout.reason)"
        default:
            kind = "warn"
            text =
                "Manifest \(rollout.sequence) is rolled out to \(place); \(rollout.nodes.serving) serve it"
                + (rollout.bakingSince == nil ? "" : ", it bakes for \(rollout.bakeSeconds) s")
        }
    }
}

extension DashboardPage.Ensemble.Node {
    init(_ record: NodeRecord, now: Date) {
        let (report, figures) = (record.report, record.report.figures)
        let seconds = max(0, now.timeIntervalSince(record.reportedAt))
        node = record.node
        running = report.running.map { "\($0.generation).\($0.sequence)" } ?? "-"
        wanted = "\(record.wanted)"
        standing = record.standing.rawValue
        kind =
            switch record.standing {
            case .current: "good"
            case .refused, .failing: "bad"
            case .behind: "warn"
            case .waiting, .pinned: ""
            }
        state = report.state.rawValue
        age = DashboardPage.text(seconds: Int(seconds))
        requests = DashboardPage.whole(figures["requests"]) ?? "-"
        p99 = figures["latency_p99_ms"].map { "\(($0 * 10).rounded() / 10)" } ?? "-"
        labelHits = DashboardPage.whole(figures["label_cache_hit_ratio"].map { $0 * 100 }).map { "\($0) %" } ?? "-"
        version = report.program
        error = report.refusal.map { "\($0.stage.rawValue): \($0.code): \($0.message)" } ?? ""
        isSilent = seconds > ManifestRollout.silence
    }
}

extension DashboardPage.Ensemble.Promotion {
    init(_ record: PromotionRecord) {
        sequence = "\(record.sequence)"
        at = DashboardPage.text(record.createdAt)
        kind = record.kind.rawValue
        joined = DashboardPage.text(record.joined)
        retired = DashboardPage.text(record.retired)
        actor = record.actor
        reason = record.reason
    }
}

extension DashboardPage.Ensemble.Decision {
    init(_ record: DecisionRecord) {
        id = "\(record.id)"
        at = DashboardPage.text(record.decidedAt)
        model = record.model?.description ?? record.kind.rawValue
        verdict = record.verdict.rawValue + (record.approval.map { ", \($0.state.rawValue)" } ?? "")
        reason = record.reason
    }
}

extension DashboardPage {
    /// `2026-01-31 12:34`, UTC.
    static func text(_ date: Date) -> String {
        date.ISO8601Format().prefix(16).replacingOccurrences(of: "T", with: " ")
    }

    /// A figure as a whole number; nil for none, and for what no node can mean.
    static func whole(_ figure: Double?) -> String? { figure.flatMap { Int(exactly: $0.rounded()) }.map(String.init) }

    /// `59 s`, `3 min`, `2 h`, `4 d`.
    static func text(seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(seconds) s"
        case ..<3600: "\(seconds / 60) min"
        case ..<86_400: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    static func text(_ models: [ModelVersionID]) -> String { models.map(\.description).joined(separator: " ") }
}
