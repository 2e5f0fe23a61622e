import Logging
import RegistryStore
import ServiceLifecycle

/// What the routes share beside the store, and runs as long as they do.
struct DaemonParts: Sendable {
    let store: RegistryStore
    let limits: DaemonLimits
    let watch: HeadWatch
    let tokens: KnownTokens
    let reports: NodeReports

    init(store: RegistryStore, limits: DaemonLimits, logger: Logger) {
        self.store = store
        self.limits = limits
        watch = HeadWatch(store: store, limits: limits, logger: logger)
        tokens = KnownTokens(store: store, limits: limits)
        reports = NodeReports(store: store, limits: limits, logger: logger)
    }

    var services: [any Service] { [tokens, reports, watch] }
}
