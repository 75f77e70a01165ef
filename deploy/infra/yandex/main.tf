# The machine of `single-vm` in Yandex Cloud: a network, a VM with a fixed address, a bucket for the dumps. Thin on purpose: what
# runs on the machine is the same on any cloud (../cloud-init.yaml).
#
#   export YC_TOKEN=$(yc iam create-token); terraform init; terraform apply

terraform {
  required_version = ">= 1.6"
  required_providers {
    yandex = {
      source  = "yandex-cloud/yandex"
      version = "~> 0.130"
    }
  }
}

provider "yandex" {
  cloud_id  = var.cloud_id
  folder_id = var.folder_id
  zone      = var.zone
}

data "yandex_compute_image" "ubuntu" {
  family = "ubuntu-2404-lts"
}

resource "yandex_vpc_network" "dwh" {
  name = "guest-tags-dwh"
}

resource "yandex_vpc_subnet" "dwh" {
  name           = "guest-tags-dwh"
  zone           = var.zone
  network_id     = yandex_vpc_network.dwh.id
  v4_cidr_blocks = ["10.10.0.0/24"]
}

# SSH from the given addresses only; the Kubernetes API and the UI go through it.
resource "yandex_vpc_security_group" "dwh" {
  name       = "guest-tags-dwh"
  network_id = yandex_vpc_network.dwh.id

  ingress {
    description    = "SSH"
    protocol       = "TCP"
    port           = 22
    v4_cidr_blocks = var.admin_cidrs
  }

  egress {
    description    = "everything: images, packages, external sources"
    protocol       = "ANY"
    v4_cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "yandex_vpc_address" "dwh" {
  name = "guest-tags-dwh"
  external_ipv4_address {
    zone_id = var.zone
  }
}

# A disk of its own right: the machine may be made anew without it.
resource "yandex_compute_disk" "dwh" {
  name     = "guest-tags-dwh"
  zone     = var.zone
  type     = "network-ssd"
  size     = var.disk_gib
  image_id = data.yandex_compute_image.ubuntu.id

  lifecycle {
    # A newer image must not replace the disk with the data.
    ignore_changes = [image_id]
  }
}

resource "yandex_compute_instance" "dwh" {
  name                      = "guest-tags-dwh"
  zone                      = var.zone
  platform_id               = "standard-v3"
  allow_stopping_for_update = true

  resources {
    cores         = var.vcpu
    core_fraction = var.vcpu_share
    memory        = var.ram_gib
  }

  scheduling_policy {
    preemptible = false
  }

  boot_disk {
    disk_id     = yandex_compute_disk.dwh.id
    auto_delete = false
  }

  network_interface {
    subnet_id          = yandex_vpc_subnet.dwh.id
    security_group_ids = [yandex_vpc_security_group.dwh.id]
    nat                = true
    nat_ip_address     = yandex_vpc_address.dwh.external_ipv4_address[0].address
  }

  metadata = {
    user-data = file("${path.module}/../cloud-init.yaml")
    ssh-keys  = "ubuntu:${var.ssh_public_key}"
  }
}

# Dumps of the warehouse (deploy/charts/guest-tags, backup.s3) outlive the machine. Its keys may add and read, not remove: who takes the
# machine can't take the dumps. So the bucket removes the old ones.
resource "yandex_iam_service_account" "backup" {
  name = "guest-tags-backup"
}

resource "yandex_resourcemanager_folder_iam_member" "backup" {
  folder_id = var.folder_id
  role      = "storage.uploader"
  member    = "serviceAccount:${yandex_iam_service_account.backup.id}"
}

resource "yandex_storage_bucket" "backup" {
  bucket   = var.backup_bucket
  max_size = 30 * 1024 * 1024 * 1024

  lifecycle_rule {
    id      = "old-dumps"
    enabled = true
    expiration {
      days = 10
    }
  }
}

output "address" {
  value = yandex_vpc_address.dwh.external_ipv4_address[0].address
}
