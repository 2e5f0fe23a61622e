import PostgresCluster
import ServiceLifecycle

/// Ends the daemon when its embedded Postgres dies: nothing can be answered without it, and a restart recovers.
struct ClusterWatch: Service {
    let cluster: RunningCluster

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await cluster.waitForExit() }
    }
}
