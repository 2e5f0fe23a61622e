import HTTPTypes
import Hummingbird
import RegistryAPI
import RegistryStore

/// Liveness (the process answers) and readiness (the database does, with this program's schema).
struct HealthRoutes {
    let store: RegistryStore

    func add(to router: Router<RegistryRequestContext>) {
        router.get("health/live") { _, _ in Response(status: .ok) }
        router.get("health/ready") { _, _ in
            try await store.checkSchema()
            return Response(status: .ok)
        }
    }
}
